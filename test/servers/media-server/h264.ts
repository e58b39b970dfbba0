/** What the control API tells of H.264 video. */
export interface H264Properties {
  width: number;
  height: number;
  profile: string;
  level: string;
}

const profiles: Record<number, string> = { 66: 'Baseline', 77: 'Main', 88: 'Extended', 100: 'High', 110: 'High 10' };
/** Profiles whose parameter set tells the chroma format (H.264, 7.3.2.1.1). */
const withChroma = [100, 110, 122, 244, 44, 83, 86, 118, 128];

/** Bits and Exp-Golomb codes (H.264, 9.1) of a NAL unit without its emulation prevention bytes (7.4.1). */
class Bits {
  readonly #bytes: number[] = [];
  #at = 0;

  constructor(nal: Buffer) {
    for (let i = 0; i < nal.length; i += 1) {
      if (nal[i] === 3 && i > 1 && nal[i - 1] === 0 && nal[i - 2] === 0) continue;
      this.#bytes.push(nal[i] as number);
    }
  }

  bits(count: number): number {
    let value = 0;
    for (let i = 0; i < count; i += 1, this.#at += 1) {
      const byte = this.#bytes[this.#at >> 3];
      if (byte === undefined) throw new RangeError('the parameter set is too short');
      value = value * 2 + ((byte >> (7 - (this.#at & 7))) & 1);
    }
    return value;
  }

  unsigned(): number {
    let zeros = 0;
    while (this.bits(1) === 0) zeros += 1;
    return 2 ** zeros - 1 + this.bits(zeros);
  }

  signed(): number {
    const code = this.unsigned();
    return code % 2 ? (code + 1) / 2 : -code / 2;
  }
}

function skipScalingLists(bits: Bits, count: number): void {
  for (let list = 0; list < count; list += 1) {
    if (!bits.bits(1)) continue;
    let last = 8;
    for (let i = 0; i < (list < 6 ? 16 : 64) && last !== 0; i += 1) last = (last + bits.signed() + 256) % 256;
  }
}

function skipChroma(bits: Bits): number {
  const chroma = bits.unsigned();
  if (chroma === 3) bits.bits(1);
  bits.unsigned();
  bits.unsigned();
  bits.bits(1);
  if (bits.bits(1)) skipScalingLists(bits, chroma === 3 ? 12 : 8);
  return chroma;
}

function skipPictureOrder(bits: Bits): void {
  const type = bits.unsigned();
  if (type === 0) bits.unsigned();
  if (type !== 1) return;
  bits.bits(1);
  bits.signed();
  bits.signed();
  for (let left = bits.unsigned(); left > 0; left -= 1) bits.signed();
}

function readSize(bits: Bits, chroma: number): { width: number; height: number } {
  bits.unsigned();
  bits.bits(1);
  const across = bits.unsigned() + 1;
  const down = bits.unsigned() + 1;
  const frames = bits.bits(1);
  if (!frames) bits.bits(1);
  bits.bits(1);
  const [left, right, top, bottom] = bits.bits(1)
    ? [bits.unsigned(), bits.unsigned(), bits.unsigned(), bits.unsigned()]
    : [0, 0, 0, 0];
  const stepX = chroma === 1 || chroma === 2 ? 2 : 1;
  const stepY = (chroma === 1 ? 2 : 1) * (2 - frames);
  return { width: across * 16 - (left + right) * stepX, height: down * 16 * (2 - frames) - (top + bottom) * stepY };
}

/** Reads a sequence parameter set, the NAL header included (H.264, 7.3.2.1.1); undefined where it is none. */
export function readSps(nal: Buffer): H264Properties | undefined {
  if (nal.length < 4 || ((nal[0] as number) & 31) !== 7) return undefined;
  try {
    const bits = new Bits(nal.subarray(1));
    const profile = bits.bits(8);
    bits.bits(8);
    const level = bits.bits(8);
    bits.unsigned();
    const chroma = withChroma.includes(profile) ? skipChroma(bits) : 1;
    bits.unsigned();
    skipPictureOrder(bits);
    return {
      ...readSize(bits, chroma),
      profile: profiles[profile] ?? String(profile),
      level: level % 10 ? (level / 10).toFixed(1) : String(level / 10),
    };
  } catch {
    return undefined;
  }
}
