import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { INetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1';
import type { IService } from 'kubernetes-models/v1';
import { parse } from 'yaml';
import { loadConfig } from '../../shared/runtime/config.ts';
import { api } from '../servers/media-server.suite.ts';
import { type MediaServer, mediamtxCommand, startMediaServer } from '../servers/media-server.ts';
import { decodeFrames } from '../servers/video.ts';
import { copyManifests } from './checkout.ts';
import { type Compose, composeWorkloads, readCompose } from './compose.ts';
import { kubernetesWorkloads } from './kubernetes.ts';
import { render } from './kustomize.ts';
import { type KubeObject, ofKind, podOwners } from './objects.ts';
import { roleOf, type Workload } from './workload.ts';

const overlays = ['k8s/overlays/example', 'k8s/overlays/small'];
const configPath = '/etc/mediamtx/mediamtx.yml';
const apiPort = 9997;

let folder: string;
let compose: Compose;
const workloads: Record<string, Workload[]> = {};
const objects: Record<string, KubeObject[]> = {};

beforeAll(async () => {
  folder = await copyManifests();
  compose = await readCompose(join(folder, 'docker-compose.yml'));
  workloads.compose = await composeWorkloads(compose, folder);
  for (const overlay of overlays) {
    objects[overlay] = await render(join(folder, overlay));
    workloads[overlay] = kubernetesWorkloads(objects[overlay]);
  }
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const inFile = (workload: Workload) => parse(workload.files[configPath] as string, { version: '1.1' });
const servers = (where: string) =>
  (workloads[where] as Workload[]).filter(({ image, replicas }) => /mediamtx/.test(image) && replicas > 0);
/** What the service streams is told. */
const told = (where: string) => {
  const streams = (workloads[where] as Workload[]).find((workload) => roleOf(workload) === 'service-streams');
  const env = Object.entries((streams as Workload).env).filter(([name]) => name.startsWith('MEDIAMTX_'));
  return loadConfig('all', Object.fromEntries(env));
};

describe.each(['compose', ...overlays])('media servers of %s', (where) => {
  test('are those the service streams knows, with a host for each', () => {
    const { mediamtxApiUrl = [], mediamtxPublicHosts = [], mediamtxHook } = told(where);
    const names = mediamtxApiUrl.map((url) => new URL(url)).map(({ hostname }) => hostname.replace(/-control$/, ''));
    expect(names).toEqual(servers(where).map(({ name }) => name));
    expect(mediamtxPublicHosts).toHaveLength(names.length);
    for (const url of mediamtxApiUrl) expect(new URL(url).port).toBe(String(apiPort));
    expect(mediamtxHook).toBeUndefined();
  });

  test('are new enough, have a wget, and let in nobody before Trigate came', () => {
    for (const server of servers(where)) {
      expect(server.image).toMatch(/^bluenviron\/mediamtx:1\.(2\d|[3-9]\d)\.\d+-ffmpeg$/);
      expect(server.command).toEqual(['/mediamtx', configPath]);
      expect(inFile(server)).toMatchObject({ api: true, apiAddress: `:${apiPort}`, authMethod: 'http', paths: {} });
      expect(inFile(server).authHTTPExclude).toEqual([{ action: 'api' }]);
    }
  });

  test('are told where WebRTC of their viewers finds them', () => {
    const hosts = told(where).mediamtxPublicHosts;
    expect(servers(where).map(({ env }) => env.MTX_WEBRTCADDITIONALHOSTS)).toEqual(hosts);
  });
});

describe('docker-compose.yml', () => {
  /** Ports of MediaMTX by the variable that changes each. */
  const usual = {
    MTX_RTSPADDRESS: '8554',
    MTX_RTMPADDRESS: '1935',
    MTX_HLSADDRESS: '8888',
    MTX_WEBRTCADDRESS: '8889',
    MTX_WEBRTCLOCALUDPADDRESS: '8189/udp',
    MTX_SRTADDRESS: '8890/udp',
  };

  test('publishes each port as it is inside, since that one is in the URLs, and none twice', () => {
    const published = servers('compose').map(({ name, env }) => {
      const own = Object.entries(usual).map(([variable, port]) =>
        env[variable] === undefined ? port : port.replace(/^\d+/, env[variable].replace(':', '')),
      );
      const ports = compose.services[name]?.ports ?? [];
      expect(ports.map((port) => port.split(':').slice(1))).toEqual(
        own.map((port) => [port.replace('/udp', ''), port]),
      );
      return ports;
    });
    expect(new Set(published.flat()).size).toBe(published.flat().length);
  });

  test('keeps the control API from all but the service streams and the gateway that is asked who may watch', () => {
    const beside = Object.entries(compose.services).filter(([, { networks = [] }]) => networks.includes('media'));
    const names = servers('compose').map(({ name }) => name);
    expect(beside.map(([name]) => name).sort()).toEqual(['gateway-http', ...names, 'streams'].sort());
    for (const name of names) expect(compose.services[name]?.networks).toEqual(['media']);
    expect(told('compose').mediamtxCallbackUrl).toBe('http://gateway-http:3000');
  });
});

describe.each(overlays)('%s', (overlay) => {
  const services = () =>
    ofKind(objects[overlay] as KubeObject[], 'Service') as (KubeObject & { spec: IService['spec'] })[];

  test('has a Service for every address the service streams is told', () => {
    const { mediamtxApiUrl = [], mediamtxCallbackUrl = '' } = told(overlay);
    for (const url of [...mediamtxApiUrl, mediamtxCallbackUrl].map((text) => new URL(text))) {
      const service = services().find(({ metadata }) => metadata.name === url.hostname);
      expect(service?.spec?.ports?.map(({ port }) => String(port))).toContain(url.port || '80');
    }
  });

  test('lets only the service streams reach the control API, and gives it to nobody outside', () => {
    const policies = ofKind(objects[overlay] as KubeObject[], 'NetworkPolicy') as unknown as INetworkPolicy[];
    const policy = policies.find(({ metadata }) => metadata?.name === 'media');
    const rules = (policy?.spec?.ingress ?? []).filter(
      ({ ports }) => !ports || ports.some(({ port }) => port === apiPort),
    );
    expect(rules).toEqual([
      {
        from: [{ podSelector: { matchLabels: { 'app.kubernetes.io/name': 'service-streams' } } }],
        ports: [{ port: apiPort }],
      },
    ]);
    const labels = podOwners(objects[overlay] as KubeObject[])
      .filter(({ name }) => /^media-/.test(name))
      .map(({ template }) => template.metadata?.labels?.['trigate/media']);
    expect(labels).toEqual(['server', 'server']);
    for (const { metadata, spec } of services().filter(({ spec }) => spec?.type === 'LoadBalancer')) {
      expect([metadata.name, spec?.ports?.map(({ port }) => port)]).not.toEqual([
        metadata.name,
        expect.arrayContaining([apiPort]),
      ]);
    }
  });
});

const kinds = [
  { kind: 'the stand-in', real: false },
  ...((await mediamtxCommand()) ? [{ kind: 'MediaMTX', real: true }] : []),
];

describe.each(kinds)('the shipped configuration on $kind', ({ real }) => {
  let server: MediaServer | undefined;
  afterEach(() => server?.stop());

  test('serves its API, and no video to anybody', async () => {
    const text = await readFile(join(folder, 'k8s/base/media/mediamtx.yml'), 'utf8');
    const { apiAddress: _address, ...config } = parse(text, { version: '1.1' });
    server = await startMediaServer({ real, config: { ...config, authHTTPAddress: 'http://127.0.0.1:9/' } });
    expect((await api(server, 'POST', 'config/paths/add/door', {})).status).toBe(200);
    expect(await decodeFrames(`${server.rtspUrl}/door`, 1, 5_000)).toMatchObject({
      frames: 0,
      error: expect.stringMatching(/401|Unauthorized|authorization/i),
    });
  });
});
