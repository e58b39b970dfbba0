import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startOneProcess } from '../system/one-process.ts';
import type { System } from '../system/system.ts';

/** The sessions a reader pastes out of the README, run as they stand but for addresses and the password. */
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
    .replace('the password that was shown', system.adminPassword);
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

  test('over Socket.IO lists the cameras', async () => {
    const { stdout } = await run(process.execPath, ['--input-type=module', '-e', session('socketio')], {
      env: environment(),
      timeout: 20_000,
    });
    expect(stdout).toBe('1 cameras\n');
  });

  test('over MQTT asks, and hears of the camera that was made', async () => {
    const output = await shell(session('mqtt'));
    expect(output).toContain('"total":1');
    expect(output).toMatch(/"domain":"camera","event":"created".*"name":"Back door"/);
  });

  test('on the command line lists cameras and checks the configuration', async () => {
    const output = await shell(session('cli'));
    expect(JSON.parse(output.slice(0, output.lastIndexOf('}') + 1))).toMatchObject({ total: 2 });
    expect(output).toContain('is valid');
  });
});
