import { Failure } from '../../shared/contracts/index.ts';
import { streamsContract } from '../../shared/contracts/streams.contract.ts';
import { implement } from '../../shared/runtime/implement.ts';
import type { StartService } from '../deps.ts';

/** The control of media servers is not built yet; until then every command says what is missing. */
export const startStreams: StartService = async ({ log }) => {
  const unavailable = async (): Promise<never> => {
    throw new Failure('UNAVAILABLE', 'No media server is connected to this Trigate');
  };
  const handlers = { streams: { list: unavailable, read: unavailable, create: unavailable, delete: unavailable } };
  return { schemas: implement(streamsContract, handlers, log) };
};
