import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

let ticks: number | undefined;
const ticksPerSecond = (): number => {
  ticks ??= Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));
  return ticks;
};

/** Seconds of CPU that processes have used so far (proc(5), `stat`); null where the system does not tell. */
export function cpuSeconds(pids: readonly number[]): number | null {
  try {
    let used = 0;
    for (const pid of pids) {
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
        .replace(/^.*\) /s, '')
        .split(' ');
      used += Number(fields[11]) + Number(fields[12]);
    }
    return used / ticksPerSecond();
  } catch {
    return null;
  }
}

/** Seconds of CPU that all processes have used so far, interrupts aside: those are hard to tell whose they are. */
export function machineSeconds(): number | null {
  try {
    const [user, nice, system] = readFileSync('/proc/stat', 'utf8').split(/\s+/).slice(1, 4).map(Number);
    return ((user ?? 0) + (nice ?? 0) + (system ?? 0)) / ticksPerSecond();
  } catch {
    return null;
  }
}
