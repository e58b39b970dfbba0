import { readBounded } from './request.ts';

/** Bytes; Google's pictures are 480 pixels wide unless asked otherwise, some 40 KB. */
const maxBytes = 131_072;
const downloadMs = 3_000;

/**
 * The picture of an event as base64, from what `CameraEventImage.GenerateImage` answered; null where there is none that
 * fits.
 * @param base of the API that answered: over plain HTTP only where that is
 */
export async function downloadPicture(results: Record<string, unknown>, base: string): Promise<string | null> {
  const { url, token } = results;
  if (typeof url !== 'string' || typeof token !== 'string' || !URL.canParse(url)) return null;
  if (![new URL(base).protocol, 'https:'].includes(new URL(url).protocol)) return null;
  const response = await fetch(url, {
    headers: { authorization: `Basic ${token}` },
    redirect: 'error',
    signal: AbortSignal.timeout(downloadMs),
  });
  if (response.status !== 200) return null;
  return (await readBounded(response, maxBytes)).toString('base64');
}
