import { type Config, ConfigError } from '../../shared/runtime/config.ts';
import type { Log } from '../../shared/runtime/log.ts';
import {
  type Fleet,
  type HookContext,
  type LocalMedia,
  localUrl,
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

/** The media servers of the configuration, or the one on the PATH; not watched yet. @throws ConfigError */
export async function startFleet({ config, log, secret, installation, wanted }: FleetStart): Promise<StartedFleet> {
  const runsOurs = config.role === 'all' && !config.mediamtxApiUrl && (await mediamtxVersion()) !== null;
  const callback = callbackOf(config, runsOurs || config.mediamtxApiUrl !== undefined);
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

function callbackOf({ mediamtxCallbackUrl, host, httpPort }: Config, isUsed: boolean): string {
  if (mediamtxCallbackUrl) return mediamtxCallbackUrl;
  if (isUsed && httpPort === 0) {
    throw new ConfigError('HTTP_PORT:', '0 is a port media servers do not know', 'one, or MEDIAMTX_CALLBACK_URL');
  }
  return localUrl(host, httpPort);
}

function places(config: Config, local: LocalMedia | null): ServerPlace[] {
  if (local) return [local.place];
  return (config.mediamtxApiUrl ?? []).map((apiUrl, index) => {
    const host = config.mediamtxPublicHosts?.[index];
    return { apiUrl, ...(host !== undefined && { host }) };
  });
}
