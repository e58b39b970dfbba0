import { fileURLToPath } from 'node:url';
import { type PictureName, pictureFiles } from '../../services/streams/pictures/picture.files.ts';
import { type Decoded, decodeFrames } from '../servers/video.ts';

const assets = new URL('../../services/streams/pictures/assets/', import.meta.url);

/** By the checksum of their frames. */
const names = new Map<string, PictureName>();
for (const name of Object.keys(pictureFiles) as PictureName[]) {
  const { sums } = await decodeFrames(fileURLToPath(new URL(`${name}.h264`, assets)), 1);
  names.set(sums[0] as string, name);
}

/** What was seen, in its order: the names of still pictures, `live` for any other frames. */
export function seen({ sums }: Decoded): (PictureName | 'live')[] {
  const all = sums.map((sum) => names.get(sum) ?? 'live');
  return all.filter((name, index) => name !== all[index - 1]);
}
