import { type Logger, pino, stdTimeFunctions } from 'pino';

export type Log = Logger;

const secretKeys = ['password', 'token', 'bearer', 'key', 'secret', 'authorization'];

/** Logs are lines of JSON on standard error: a constant message and fields. Standard output is for the user. */
export function createLog(level: string, role: string): Log {
  return pino(
    {
      level,
      base: { role, pid: process.pid },
      timestamp: stdTimeFunctions.isoTime,
      redact: secretKeys.flatMap((key) => [key, `*.${key}`]),
    },
    pino.destination({ dest: 2, sync: false }),
  );
}

export const silentLog: Log = pino({ level: 'silent' });
