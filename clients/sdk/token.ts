import { TrigateError } from './error.ts';

/**
 * A bearer token, or what gives one: it is asked before every connection, so that an expired one can be renewed.
 * `refused`: the last one was not accepted, a kept one will not do.
 */
export type Token = string | ((state: { refused: boolean }) => string | undefined | Promise<string | undefined>);

/** @throws TrigateError REFUSED where the function throws or takes longer than the milliseconds given. @internal */
export async function resolveToken(
  token: Token | undefined,
  refused: boolean,
  withinMs: number,
): Promise<string | undefined> {
  if (typeof token !== 'function') return token;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no token within ${withinMs} ms`)), withinMs);
  });
  try {
    return await Promise.race([token({ refused }), late]);
  } catch (cause) {
    throw new TrigateError('REFUSED', 'The token could not be had', { cause });
  } finally {
    clearTimeout(timer);
  }
}
