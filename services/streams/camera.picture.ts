import { placeholderDue, placeholderOf } from './camera.rules.ts';
import type { Ownership } from './ownership.ts';
import type { Paths } from './paths.ts';
import type { Pictures } from './pictures/pictures.ts';
import type { CameraStream } from './streams.store.ts';

export interface CameraPictureDeps {
  pictures: Pick<Pictures, 'show' | 'hide'>;
  paths: Pick<Paths, 'pictureTarget'>;
  ownership: Pick<Ownership, 'fenceOf'>;
}

/** The picture that a camera's owner shows while the camera gives none. */
export class CameraPicture {
  readonly #deps: CameraPictureDeps;

  constructor(deps: CameraPictureDeps) {
    this.#deps = deps;
  }

  /** Shows the picture that is due, or none. @returns milliseconds until another one may be; null for never */
  look(stream: CameraStream): number | null {
    const { pictures, paths } = this.#deps;
    const now = Date.now();
    const name = placeholderOf(stream, now);
    const target = name && paths.pictureTarget(stream);
    if (name && target) pictures.show(stream.id, target, name);
    else pictures.hide(stream.id);
    const due = placeholderDue(stream, now);
    return due === null ? null : due - now;
  }

  /** For what waits for Google, ten seconds at times: who watches sees the picture that falls due meanwhile. */
  async during(stream: CameraStream, work: () => Promise<void>): Promise<void> {
    const isOurs = () => this.#deps.ownership.fenceOf(stream.id) === stream.fence;
    const due = this.look(stream);
    const timer = due === null ? undefined : setTimeout(() => isOurs() && this.look(stream), due);
    await work().finally(() => clearTimeout(timer));
  }

  hide(camera: string): void {
    this.#deps.pictures.hide(camera);
  }
}
