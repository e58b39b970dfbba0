import { describe, expect, test } from '@jest/globals';
import { framesPerSecond, type PictureName, pictureFiles } from './picture.files.ts';
import { PictureFrames } from './picture.frames.ts';
import type { RtspAnswer } from './rtsp.request.rules.ts';

const alive = { method: 'OPTIONS', url: 'rtsp://h:1/door' } as const;

function stage() {
  const connection = {
    behind: false,
    sent: [] as Buffer[],
    asked: 0,
    closed: undefined as Error | undefined,
    send: (frames: Buffer) => void connection.sent.push(frames),
    ask: async () => {
      connection.asked += 1;
      return { status: 200, cseq: 1, headers: new Map() } satisfies RtspAnswer;
    },
    close: (error?: Error) => {
      connection.closed = error;
    },
  };
  let picture: PictureName = 'connecting';
  const frames = new PictureFrames({ connection, channel: 0, name: 'me', picture: () => picture, alive }, 100);
  let slot = 100;
  return {
    connection,
    show: (name: PictureName) => {
      picture = name;
    },
    /** What is sent within this many frames: reports are left out. */
    run(count: number): Buffer[] {
      connection.sent.length = 0;
      for (let i = 0; i < count; i += 1, slot += 1) frames.next(slot);
      return connection.sent.filter((buffer) => buffer[1] === 0);
    },
    miss: (count: number) => {
      slot += count;
    },
  };
}

const timeOf = (frame: Buffer | undefined) => frame?.readUInt32BE(8) ?? Number.NaN;
const isWhole = (frame: Buffer | undefined) => (frame?.length ?? 0) > 1_000;
const sizes = (name: PictureName) => pictureFiles[name].frames.map((frame) => frame.bytes.length);

describe('the frames of a picture', () => {
  test('go round each second, a whole picture first', () => {
    const { run } = stage();
    expect(run(10).map(({ length }) => length)).toEqual([...sizes('connecting'), ...sizes('connecting')]);
  });

  test('are numbered without gaps, and timed by the clock: frames that were missed are missing', () => {
    const { run, miss } = stage();
    const before = run(3);
    miss(4);
    const after = run(2);
    const number = (frame: Buffer | undefined) => frame?.readUInt16BE(6) ?? Number.NaN;
    const step = (from: Buffer | undefined, to: Buffer | undefined) => (timeOf(to) - timeOf(from)) >>> 0;
    expect(step(before[0], before[1])).toBe(18_000);
    expect(step(before[2], after[0])).toBe(5 * 18_000);
    expect((number(after[0]) - number(before[2])) & 0xffff).toBe(1);
  });

  test('are those of another picture from the next second on', () => {
    const { run, show } = stage();
    run(2);
    show('off');
    expect(run(8).map(({ length }) => length)).toEqual([...sizes('connecting').slice(2), ...sizes('off')]);
  });

  test('wait while the server is behind, and go on with a whole picture', () => {
    const { connection, run } = stage();
    run(2);
    connection.behind = true;
    expect(run(5)).toEqual([]);
    connection.behind = false;
    expect(run(3).map(isWhole)).toEqual([true, false, false]);
    expect(connection.closed).toBeUndefined();
  });

  test('end where the server takes nothing for ten seconds', () => {
    const { connection, run } = stage();
    connection.behind = true;
    run(10 * framesPerSecond);
    expect(connection.closed).toBeUndefined();
    run(1);
    expect(connection.closed).toBeInstanceOf(Error);
  });

  test('are accompanied by a report each five seconds, and a question each ten', () => {
    const { connection, run } = stage();
    run(15 * framesPerSecond);
    const reports = connection.sent.filter((buffer) => buffer[1] === 1);
    expect(reports.length).toBe(3);
    // Packets and bytes so far (RFC 3550, 6.4.1), and the time of the frame that follows.
    expect(reports.map((report) => report.readUInt32BE(4 + 20))).toEqual([
      0,
      ...[1, 2].map((times) => times * 5 * pictureFiles.connecting.frames.flatMap(({ starts }) => starts).length),
    ]);
    const first = connection.sent.indexOf(reports[1] as Buffer);
    expect(reports[1]?.readUInt32BE(4 + 16)).toBe(timeOf(connection.sent[first + 1]));
    expect(connection.asked).toBe(1);
  });
});
