import { StoreUnavailable } from '../../shared/store/collection.ts';

/** Asks again, for 40 s, where a store did not answer in time: that says nothing about what it keeps. */
export async function patiently<T>(ask: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + 40_000;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof StoreUnavailable) || Date.now() > deadline) throw error;
    }
  }
}
