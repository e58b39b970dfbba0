import type { ActionOf, Call, CommandName, ParamsOf, ResultOf } from '../../shared/contracts/index.ts';
import { mediamtxCommand } from '../servers/media-server.ts';
import { eventually } from './clients/wait.ts';
import { connectClient } from './clients.ts';
import type { System } from './system.ts';

/** The stand-in always, and the real server where it is on the PATH. */
export const mediaServerKinds: readonly { kind: string; real: boolean }[] = (await mediamtxCommand())
  ? [
      { kind: 'the stand-in for MediaMTX', real: false },
      { kind: 'MediaMTX', real: true },
    ]
  : [{ kind: 'the stand-in for MediaMTX', real: false }];

/** What tests of cameras set, whatever else: hooks run by this Node.js, as neither wget nor curl has to be there. */
export const cameraEnv = (...apiUrls: string[]): Record<string, string> => ({
  MEDIAMTX_API_URL: apiUrls.join(','),
  MEDIAMTX_HOOK: 'node',
});

export interface Owner {
  readonly token: string;
  /** @throws Error with the answer where it is none of success */
  call: Call;
  /** The code of a failure, or the result. */
  answer(name: CommandName, params?: object): Promise<{ code?: string; result?: unknown }>;
  close(): Promise<void>;
}

/** Somebody who is logged in over HTTP; the administrator unless another is named. */
export async function logIn(
  { httpUrls, adminPassword }: System,
  user: { username: string; password: string } = { username: 'admin', password: adminPassword },
): Promise<Owner> {
  const client = connectClient('http', httpUrls[0] as string);
  const ask = async (name: string, params: { entity?: string; payload?: unknown } = {}, token: string | null) => {
    const [module, command] = name.split('.') as [string, string];
    return client.request({ module, command, ...params }, token);
  };
  const login = await ask('auth.create', { payload: user }, null);
  if ('error' in login) throw new Error(JSON.stringify(login));
  const { bearer } = login.ok as { bearer: string };
  return {
    token: bearer,
    call: (async (name: string, params?: object) => {
      const answer = await ask(name, params as never, bearer);
      if ('error' in answer) throw new Error(`${name}: ${JSON.stringify(answer.error)}`);
      return answer.ok;
    }) as unknown as Call,
    async answer(name, params) {
      const answer = await ask(name, params as never, bearer);
      return 'error' in answer ? { code: answer.error.code } : { result: answer.ok };
    },
    close: () => client.close(),
  };
}

type Wish = ParamsOf<ActionOf<'cameras.create'>>['payload'];

/** Adds a camera that is enabled; resolves when it is on a media server. */
export async function addCamera({ call, answer }: Owner, wish: Partial<Wish> & { mtx_path: string; source: string }) {
  const camera = await call('cameras.create', { payload: { name: wish.mtx_path, is_enabled: true, ...wish } });
  await eventually(
    () => answer('streams.create', { payload: { camera: camera.id } }),
    ({ code }) => code === undefined,
    10_000,
  );
  return camera;
}

export type Urls = ResultOf<ActionOf<'streams.create'>>;
