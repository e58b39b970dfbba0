/** What the adapter and the buses report to; pino fits. */
export interface BusLog {
  warn(fields: Record<string, unknown>, message: string): void;
}

export const silent: BusLog = { warn: () => {} };
