import type { z } from 'zod';
import type { cameraRecord, camerasContract, GoogleDevice } from '../../shared/contracts/cameras.contract.ts';
import type { Call, ResultOf } from '../../shared/contracts/index.ts';
import type { streamsContract } from '../../shared/contracts/streams.contract.ts';
import type { Log } from '../../shared/runtime/log.ts';
import { type Vault, VaultError } from '../../shared/runtime/vault.ts';
import { publicSource, statusOf } from './cameras.rules.ts';
import type { Camera } from './cameras.store.ts';
import { protocolsOf, streamKeys } from './device.rules.ts';

type Statuses = ResultOf<typeof streamsContract.modules.streams.actions.statuses>['cameras'];
type Wiring = ResultOf<typeof camerasContract.modules.cameras.actions.wiring>['items'][number];

/** Where each sealed text of a camera belongs. */
export const sealContext = (id: string, part: 'source' | 'uid' | 'info'): string => `cameras/${id}/${part}`;

/** All that is sealed in a stored camera. */
export const sealedKeys = (['source', 'uid', 'info'] as const).map((part) => ({
  key: ({ source: 'sealedSource', uid: 'sealedUid', info: 'sealedInfo' } as const)[part],
  context: (id: string) => sealContext(id, part),
}));

export const sourceKeys = (source: string, id: string, vault: Vault) => ({
  source: publicSource(source),
  sealedSource: vault.seal(source, sealContext(id, 'source')),
});

export const deviceKeys = (device: GoogleDevice, id: string, vault: Vault) => ({
  sealedUid: vault.seal(device.name, sealContext(id, 'uid')),
  sealedInfo: vault.seal(JSON.stringify(device), sealContext(id, 'info')),
});

/** What streams will know, as it is where there is none. */
const idle = {
  expires_at: null,
  process_id: null,
  stream_ready: false,
  stream_uptime: null,
  stream_track_count: 0,
  stream_consumer_count: 0,
  stream_data_rx: 0,
  stream_data_tx: 0,
  url_rtsp_tcp: null,
  url_rtsp_udp_rtp: null,
  url_rtsp_udp_rtcp: null,
  url_rtmp: null,
  url_hls: null,
  url_hls_m3u8: null,
  url_web_rtc: null,
  url_srt: null,
};
const noStream = { identified_as: null, protocols: null, resolution: null, codecs_video: null, codecs_audio: null };

/** Milliseconds a list waits for what streams know; records are shown without it then. */
const patienceMs = 1_000;

/** What streams know of these cameras; nothing where they do not answer. Cameras that cannot stream are not asked for. */
export async function statusesOf(call: Call, cameras: readonly Camera[], log: Log): Promise<Statuses> {
  const ids = cameras.filter((one) => one.is_enabled && one.mtx_path !== null).map(({ id }) => id);
  if (ids.length === 0) return {};
  const late = AbortSignal.timeout(patienceMs);
  const tooLate = new Promise<never>((_resolve, reject) => {
    late.addEventListener('abort', () => reject(late.reason), { once: true });
  });
  try {
    return (await Promise.race([call('streams.statuses', { payload: { cameras: ids } }), tooLate])).cameras;
  } catch (err) {
    log.debug({ err }, 'cameras are shown without their streams');
    return {};
  }
}

/** Stored cameras as others see them. */
export function cameraViews(vault: Vault, log: Log) {
  /** Null where there is none, and where it does not open: one damaged record must not take the whole list away. */
  function opened(camera: Camera, part: 'uid' | 'info'): string | null {
    const sealed = part === 'uid' ? camera.sealedUid : camera.sealedInfo;
    if (!sealed) return null;
    try {
      return vault.open(sealed, sealContext(camera.id, part));
    } catch (error) {
      if (!(error instanceof VaultError)) throw error;
      log.warn({ camera: camera.id, part, reason: error.reason }, 'a sealed part of a camera does not open');
      return null;
    }
  }
  const uid = (camera: Camera): string => opened(camera, 'uid') ?? camera.id;
  function device(camera: Camera): GoogleDevice | null {
    const text = opened(camera, 'info');
    return text === null ? null : JSON.parse(text);
  }

  return {
    uid,
    device,
    record(camera: Camera, status?: Statuses[string]): z.output<typeof cameraRecord> {
      const info = device(camera);
      const stream = info ? streamKeys(info) : noStream;
      const vanished_at = camera.vanishedAt ?? null;
      const known = { ...idle, ...stream, status: statusOf(camera), ...status };
      // Stored as by the rule of its time.
      const source = camera.source && publicSource(camera.source);
      return { ...camera, source, uid: uid(camera), info, vanished_at, ...known };
    },
    wiring(camera: Camera): Wiring {
      const info = device(camera);
      return {
        ...camera,
        is_enabled: camera.is_enabled && !camera.vanishedAt,
        uid: uid(camera),
        protocols: info ? protocolsOf(info) : [],
      };
    },
  };
}

export type CameraViews = ReturnType<typeof cameraViews>;
