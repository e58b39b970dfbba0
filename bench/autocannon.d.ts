/** The part of autocannon that the bench uses; the package has no types. */
declare module 'autocannon' {
  import type { EventEmitter } from 'node:events';

  interface Options {
    url: string;
    connections: number;
    /** Seconds. */
    duration: number;
    headers?: Record<string, string>;
    requests?: { path: string; onResponse?: (status: number, body: string) => void }[];
  }
  export default function autocannon(
    options: Options,
    done: (error: Error | null) => void,
  ): EventEmitter & { stop(): void };
}
