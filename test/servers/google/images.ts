import { randomBytes } from 'node:crypto';
import { type Clock, second } from './clock.ts';
import { type Answer, GoogleError } from './http.ts';

const lifetime = 30 * second;

interface Picture {
  device: string;
  jpeg: Buffer;
  ends: number;
}

/** Pictures of events: to be had for 30 s from the publication of their event. */
export class Images {
  readonly #clock: Clock;
  readonly #pictures = new Map<string, Picture>();
  readonly #tokens = new Map<string, Picture>();
  downloads = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(eventId: string, device: string, jpeg: Buffer): void {
    this.#pictures.set(eventId, { device, jpeg, ends: Date.now() + this.#clock.ms(lifetime) });
  }

  /** CameraEventImage.GenerateImage */
  generate(device: string, eventId: unknown, base: string) {
    const picture = this.#pictures.get(String(eventId));
    if (!picture || picture.device !== device) {
      throw new GoogleError(400, 'FAILED_PRECONDITION', 'The event does not belong to the camera.');
    }
    this.#alive(picture);
    const token = `g.${randomBytes(12).toString('hex')}`;
    this.#tokens.set(token, picture);
    return { url: `${base}/event-images/${encodeURIComponent(String(eventId))}`, token };
  }

  answer: Answer = ({ path, headers }) => {
    if (!path.startsWith('/event-images/')) return null;
    const picture = this.#tokens.get(/^Basic (\S+)$/.exec(headers.authorization ?? '')?.[1] ?? '');
    if (!picture) throw new GoogleError(401, 'UNAUTHENTICATED', 'No valid token.');
    this.#alive(picture);
    this.downloads += 1;
    return { status: 200, headers: { 'content-type': 'image/jpeg' }, body: picture.jpeg };
  };

  #alive({ ends }: Picture): void {
    if (ends < Date.now()) throw new GoogleError(504, 'DEADLINE_EXCEEDED', 'The camera image is no longer available.');
  }
}
