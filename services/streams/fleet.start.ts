import type { Config } from '../../shared/runtime/config.ts';
import type { Log } from '../../shared/runtime/log.ts';
import {
  type Fleet,
  type HookContext,
  type LocalMedia,
  mediaFleet,
  mediamtxVersion,
  nodeHook,
  type PathConf,
  runMediamtx,
  type ServerPlace,
} from './media/index.ts';

export interface FleetStart {
  config: Config;
  log: Log;
  secret: string;
  installation: string;
  wanted(server: string): Promise<ReadonlyMap<string, PathConf>>;
}

export interface StartedFleet {
  fleet: Fleet;
  /** What hooks of a server's paths are made with. */
  hooksOf(server: string): HookContext;
  /** Base at which media servers reach the HTTP gateway. */
  callback: string;
  stop(): Promise<void>;
}

/** The media servers of the configuration, or the one on the PATH; not watched yet. */
export async function startFleet({ config, log, secret, installation, wanted }: FleetStart): Promise<StartedFleet> {
  const callback = config.mediamtxCallbackUrl ?? `http://127.0.0.1:${config.httpPort}`;
  const runsOurs = config.role === 'all' && !config.mediamtxApiUrl && (await mediamtxVersion()) !== null;
  const hook = config.mediamtxHook ?? (runsOurs ? 'node' : 'wget');
  const program = hook === 'node' ? nodeHook() : hook;
  const context: Omit<HookContext, 'server'> = { callback, installation, secret, program };
  const local = runsOurs ? await runMediamtx(config, context, log) : null;
  const fleet = mediaFleet({ servers: places(config, local), context, wanted, log });
  return {
    fleet,
    hooksOf: (server) => ({ ...context, server }),
    callback,
    async stop() {
      await fleet.stop();
      await local?.stop();
    },
  };
}

function places(config: Config, local: LocalMedia | null): ServerPlace[] {
  if (local) return [local.place];
  return (config.mediamtxApiUrl ?? []).map((apiUrl, index) => {
    const host = config.mediamtxPublicHosts?.[index];
    return { apiUrl, ...(host !== undefined && { host }) };
  });
}
