import type { Log } from '../../shared/runtime/log.ts';
import type { Vault } from '../../shared/runtime/vault.ts';
import { type Rekeyed, rekeyer, type SealedText } from '../rekey.ts';
import {
  type CameraStream,
  deviceContext,
  feedContext,
  type StreamsStore,
  secretContext,
  sourceContext,
} from './streams.store.ts';

const textsOf = (stream: CameraStream): SealedText<CameraStream>[] => {
  const { id, feed, next, sealedSource, sealedDevice } = stream;
  return [
    { sealed: sealedDevice, context: deviceContext(id), put: (anew) => ({ sealedDevice: anew }) },
    { sealed: sealedSource, context: sourceContext(id), put: (anew) => ({ sealedSource: anew }) },
    {
      sealed: feed?.sealed,
      context: feedContext(id, feed?.name),
      put: (sealed) => ({ feed: feed && { ...feed, sealed } }),
    },
    {
      sealed: next?.sealed,
      context: feedContext(id, next?.name),
      put: (sealed) => ({ next: next && { ...next, sealed } }),
    },
  ];
};

/** Seals anew what streams keep: sources, sessions with Google and, with the first batch, the installation's secret. */
export function streamsRekeyer({ streams, settings }: StreamsStore, vault: Vault, log: Log) {
  const ofStreams = rekeyer(streams, textsOf, vault, log);
  const ofSettings = rekeyer(
    settings,
    ({ sealed }) => [{ sealed, context: secretContext, put: (anew) => ({ sealed: anew }) }],
    vault,
    log,
  );
  return async (after: string): Promise<Rekeyed> => {
    const batch = await ofStreams.batch(after);
    const secret = after === '' ? await settings.get('secret') : null;
    if (!secret) return batch;
    const { resealed, unreadable } = await ofSettings.one(secret);
    return {
      ...batch,
      records: batch.records + 1,
      resealed: batch.resealed + resealed,
      unreadable: batch.unreadable + unreadable,
    };
  };
}
