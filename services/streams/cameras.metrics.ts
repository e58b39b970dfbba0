import { Gauge, type Registry } from 'prom-client';
import type { Collection } from '../../shared/store/collection.ts';
import type { Members } from './members.ts';
import type { CameraStream, StreamState } from './streams.store.ts';

const states = ['idle', 'starting', 'ready', 'failed'] as const satisfies readonly StreamState[];

/** `trigate_cameras{state}`: the cameras of this process, so that the sum over processes counts each once. */
export function cameraMetrics(registry: Registry, streams: Collection<CameraStream>, members: Members): void {
  new Gauge({
    name: 'trigate_cameras',
    help: 'Enabled cameras that this process looks after, by the state of their stream',
    labelNames: ['state'],
    registers: [registry],
    async collect() {
      for (const state of states) {
        // A store that does not answer must not take the other metrics away.
        const count = await streams.count({ owner: members.id, state }).catch(() => Number.NaN);
        this.set({ state }, count);
      }
    },
  });
}
