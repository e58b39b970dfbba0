import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { openSocket } from '../system/clients/socketio.client.ts';
import { eventually } from '../system/clients/wait.ts';
import { startOneProcess } from '../system/one-process.ts';
import type { System } from '../system/system.ts';

/** The sessions a reader pastes out of the README, run as they stand but for addresses, the password and the key. */
const run = promisify(execFile);
let system: System;
let readme: string;
let token: string;

const session = (name: string): string => {
  const block = new RegExp(`<!-- session:${name} -->\\n\`\`\`\\w+\\n([^]*?)\\n\`\`\``).exec(readme)?.[1];
  if (!block) throw new Error(`the README has no session ${name}`);
  const { port: mqttPort } = new URL(system.mqttUrls[0] as string);
  return block
    .replaceAll('http://127.0.0.1:3000', system.httpUrls[0] as string)
    .replaceAll('-p 1883', `-p ${mqttPort}`)
    .replace('the password that was shown', system.adminPassword)
    .replace('the API key that was shown', system.apiKey);
};
const environment = () => ({ ...process.env, TOKEN: token, TRIGATE_URL: system.httpUrls[0] });
const shell = async (script: string) =>
  (await run('sh', ['-ec', script], { env: environment(), timeout: 20_000 })).stdout;

beforeAll(async () => {
  system = await startOneProcess();
  readme = await readFile(new URL('../../README.md', import.meta.url), 'utf8');
  token = (await shell(`${session('http').split('\n\n')[0]}\n${session('http').split('\n\n')[1]}\necho $TOKEN`)).trim();
});
afterAll(() => system?.stop());

describe('the README', () => {
  test('over HTTP makes a user and a camera, and finds the camera', async () => {
    const output = await shell(session('http'));
    expect(output).toContain('"username":"ann"');
    expect(output).toContain('"mtx_path":"front-door"');
    expect(output).toMatch(/"items":\[\{.*"name":"Front door".*"total":1/);
  });

  test('asks where Google grants access', async () => {
    const { url } = JSON.parse(await shell(session('google')));
    expect(url).toContain('https://nestservices.google.com/partnerconnections/the%20UUID');
    expect(url).toContain(encodeURIComponent(`${system.httpUrls[0]}/credentials/authorize`));
  });

  test('over Socket.IO lists the cameras', async () => {
    const { stdout } = await run(process.execPath, ['--input-type=module', '-e', session('socketio')], {
      env: environment(),
      timeout: 20_000,
    });
    expect(stdout).toBe('1 cameras\n');
  });

  test('over Socket.IO joins a room and hears what is said there', async () => {
    const { stdout } = await run(process.execPath, ['--input-type=module', '-e', session('rooms')], {
      env: environment(),
      timeout: 20_000,
    });
    expect(stdout).toBe('admin is in kitchen\nadmin says soup is ready\n');
  });

  test('over MQTT asks, and hears of the camera that was made', async () => {
    const output = await shell(session('mqtt'));
    expect(output).toContain('"total":1');
    expect(output).toMatch(/"domain":"camera","event":"created".*"name":"Back door"/);
  });

  test('with the API key pushes to everyone, a room, a user and a role, and signs', async () => {
    const socket = await openSocket(system.socketioUrls[0] as string, token);
    const heard: unknown[] = [];
    socket.on('news', ({ text }: { text: string }) => heard.push(text));
    socket.on('collection:update', ({ id }: { id: number }) => heard.push(id));
    const output = await shell(session('push'));
    expect(output.match(/"success":true/g)).toHaveLength(5);
    expect(output.match(/"recipients":1/g)).toHaveLength(3);
    expect(output).toContain('"delivered":false');
    await eventually(
      async () => heard,
      ({ length }) => length >= 3,
      5_000,
    );
    expect(heard).toEqual(['hello', 123, 'signed']);
    socket.disconnect();
  });

  test('on the command line lists cameras and checks the configuration', async () => {
    const output = await shell(session('cli'));
    expect(JSON.parse(output.slice(0, output.lastIndexOf('}') + 1))).toMatchObject({ total: 2 });
    expect(output).toMatch(/^cameras: 2 records, 0 texts sealed anew$/m);
    expect(output).toContain('is valid');
  });

  test('makes a camera to watch, where a media server is missing', async () => {
    const output = await shell(`${session('http').split('\n\n')[0]}\n${session('watch')}`);
    expect(output).toContain('No media server is connected to this Trigate');
  });
});
