/** A command that was sent to Google, or is about to be. */
export interface Use {
  /** Milliseconds since the epoch. */
  at: number;
  device: string;
  command: string;
}

/** Google refused: nothing more for this device before `until`. */
export interface Block {
  device: string;
  until: number;
  /** How often in a row. */
  times: number;
}

export interface Usage {
  uses: Use[];
  blocks: Block[];
}

/**
 * What must not take the room of what comes before it: without `extend` a stream that runs would end; `start` is for who
 * waits; a session that nobody stops ends by itself; `background`: pictures of events.
 */
export type Priority = 'extend' | 'start' | 'stop' | 'background';

/** Of a command that streams send, such as `CameraLiveStream.ExtendRtspStream`. */
export function priorityOf(command: string): Priority {
  if (command.includes('.Extend')) return 'extend';
  return command.includes('.Stop') ? 'stop' : 'start';
}

const minute = 60_000;
const hour = 3_600_000;
/** Google counts from when a command arrives: some take longer than others. */
const margin = 1_000;

/** Google's limits of executeCommand in the sandbox: per project and user, per command and device, per device. */
const perUser = { extend: 10, start: 7, stop: 5, background: 4 } as const;
const perCommand = 5;
const perDevice = 30;
const perDeviceHour = 100;

/**
 * Whether a command may be sent now, over all processes that share the usage. Any window of a length holds at most
 * what Google allows in one, so that its own windows, whose beginning is not known, are kept as well.
 * @param factor divides the length of every window
 * @returns the usage with this one, or the milliseconds after which it fits
 */
export function take(
  usage: Usage,
  want: Omit<Use, 'at'>,
  priority: Priority,
  now: number,
  factor: number,
): Usage | number {
  const uses = usage.uses.filter(({ at }) => at > now - (hour + margin) / factor);
  const blocks = usage.blocks.filter(({ until }) => until > now - hour / factor);
  const ofDevice = uses.filter(({ device }) => device === want.device);
  const waits = [
    wait(uses, perUser[priority], minute, now, factor),
    wait(
      ofDevice.filter(({ command }) => command === want.command),
      perCommand,
      minute,
      now,
      factor,
    ),
    wait(ofDevice, perDevice, minute, now, factor),
    wait(ofDevice, perDeviceHour, hour, now, factor),
    ...blocks.filter(({ device }) => device === want.device).map(({ until }) => until - now),
  ];
  const longest = Math.max(...waits);
  return longest > 0 ? Math.ceil(longest) : { uses: [...uses, { ...want, at: now }], blocks };
}

/** Milliseconds until one more fits; 0 or less: now. `uses` are in order of time, but for clocks that differ. */
function wait(uses: readonly Use[], most: number, window: number, now: number, factor: number): number {
  const length = (window + margin) / factor;
  const recent = uses.map(({ at }) => at).filter((at) => at > now - length);
  if (recent.length < most) return 0;
  const leaving = recent.sort((a, b) => a - b)[recent.length - most] as number;
  return leaving + length - now;
}

/** After a 429: a minute, then two, at most an hour; an hour without one starts anew. */
export function block(usage: Usage, device: string, now: number, factor: number): Usage {
  const before = usage.blocks.find((one) => one.device === device);
  const times = (before?.times ?? 0) + 1;
  const until = now + Math.min(hour, minute * 2 ** (times - 1)) / factor;
  return { ...usage, blocks: [...usage.blocks.filter((one) => one !== before), { device, until, times }] };
}
