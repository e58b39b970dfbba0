/** Durations divided by a factor, so that an hour of Google's can pass in a minute. */
export interface Clock {
  readonly factor: number;
  /** Real milliseconds of so many of Google's. */
  ms(milliseconds: number): number;
}

export const clockOf = (factor: number): Clock => ({ factor, ms: (milliseconds) => milliseconds / factor });

export const second = 1_000;
export const minute = 60_000;
export const hour = 3_600_000;
