import { readFileSync } from 'node:fs';
import { accessUnits, nalType, nalUnits, type Packets, packetsOf, pps, sps } from './rtp.h264.rules.ts';

/** Why a camera gives no live picture. */
export type PictureName = 'connecting' | 'off' | 'disabled' | 'missing';

export const framesPerSecond = 5;

export interface Picture {
  /** One second of it: the picture, then frames that repeat it. It goes round. */
  frames: readonly Packets[];
  /** The same in every picture: they can follow each other in one stream. */
  sps: Buffer;
  pps: Buffer;
}

/** @throws Error where the file is not there or is no picture */
function load(name: PictureName): Picture {
  const units = nalUnits(readFileSync(new URL(`assets/${name}.h264`, import.meta.url)));
  const parameter = (type: number): Buffer => {
    const found = units.find((unit) => nalType(unit) === type);
    if (!found) throw new Error(`The picture ${name} has no parameter sets`);
    return found;
  };
  return { frames: accessUnits(units).map(packetsOf), sps: parameter(sps), pps: parameter(pps) };
}

/** Read at the start: an installation without them does not find out while it sends. */
export const pictureFiles: Readonly<Record<PictureName, Picture>> = {
  connecting: load('connecting'),
  off: load('off'),
  disabled: load('disabled'),
  missing: load('missing'),
};
