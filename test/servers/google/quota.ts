import { type Clock, hour, minute } from './clock.ts';
import { GoogleError } from './http.ts';

interface Window {
  ends: number;
  used: number;
}

interface Limit {
  key: string;
  most: number;
  per: number;
}

/** Google's sandbox limits. A window is counted from its first call; a refused call counts as well. */
export class Quota {
  readonly #clock: Clock;
  readonly #counting: boolean;
  readonly #windows = new Map<string, Window>();
  /** Calls that were refused. */
  refused = 0;

  constructor(clock: Clock, counting: boolean) {
    this.#clock = clock;
    this.#counting = counting;
  }

  list(user: string): void {
    this.#take([{ key: `list ${user}`, most: 5, per: minute }], 'API devices.list');
  }

  get(user: string): void {
    this.#take([{ key: `get ${user}`, most: 10, per: minute }], 'API devices.get');
  }

  execute(user: string, device: string, type: string, command: string): void {
    const ofDevice = type.endsWith('.CAMERA') || type.endsWith('.DOORBELL');
    this.#take([{ key: `execute ${user}`, most: 10, per: minute }], 'API devices.executeCommand');
    this.#take([{ key: `command ${user} ${device} ${command}`, most: 5, per: minute }], `command ${command}`);
    if (!ofDevice) return;
    this.#take([{ key: `device ${device} m`, most: 30, per: minute }], 'device');
    this.#take([{ key: `device ${device} h`, most: 100, per: hour }], 'device');
  }

  #take(limits: readonly Limit[], what: string): void {
    if (!this.#counting) return;
    const now = performance.now();
    for (const { key, most, per } of limits) {
      const known = this.#windows.get(key);
      const window = known && known.ends > now ? known : { ends: now + this.#clock.ms(per), used: 0 };
      this.#windows.set(key, window);
      window.used += 1;
      if (window.used <= most) continue;
      this.refused += 1;
      throw new GoogleError(429, 'RESOURCE_EXHAUSTED', `Rate limited for the ${what}.`);
    }
  }
}
