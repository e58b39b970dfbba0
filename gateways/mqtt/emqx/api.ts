import { z } from 'zod';

export interface EmqxApiOptions {
  /** Without `/api/v5`. */
  readonly url: string;
  readonly key: string;
  readonly secret: string;
}

/** A client EMQX has a session of, with the attributes `POST /api/mqtt/auth` gave it. */
export interface EmqxClient {
  readonly clientid: string;
  readonly client_attrs?: Readonly<Record<string, string>> | undefined;
}

const pageSchema = z.object({
  data: z.array(
    z.object({
      clientid: z.string(),
      client_attrs: z
        .record(z.string(), z.string())
        .nullish()
        .transform((attributes) => attributes ?? undefined),
    }),
  ),
  meta: z.object({ hasnext: z.boolean().default(false) }),
});

const requestMs = 5_000;
/** Clients in one answer; EMQX gives at most 10,000. */
const perPage = 1_000;
const maxPages = 100;

/** The two calls of EMQX's REST API (version 5) that are needed to end sessions. @throws Error where one fails */
export class EmqxApi {
  readonly #base: string;
  readonly #authorization: string;

  constructor({ url, key, secret }: EmqxApiOptions) {
    this.#base = `${url.replace(/\/+$/, '')}/api/v5`;
    this.#authorization = `Basic ${Buffer.from(`${key}:${secret}`).toString('base64')}`;
  }

  /** Every session of the cluster, also those kept for clients that are away; the first 100,000. */
  async clients(): Promise<EmqxClient[]> {
    const clients: EmqxClient[] = [];
    for (let page = 1; page <= maxPages; page += 1) {
      const query = new URLSearchParams({ page: `${page}`, limit: `${perPage}`, fields: 'clientid,client_attrs' });
      const { data, meta } = pageSchema.parse(await (await this.#ask('GET', `/clients?${query}`)).json());
      clients.push(...data);
      if (!meta.hasnext) break;
    }
    return clients;
  }

  /**
   * Ends connections and sessions; of clients that are gone nothing is said. All in one body, as a path could not name
   * every client id (`..`).
   */
  async kick(clientIds: readonly string[]): Promise<void> {
    for (let at = 0; at < clientIds.length; at += perPage) {
      await (await this.#ask('POST', '/clients/kickout/bulk', clientIds.slice(at, at + perPage))).body?.cancel();
    }
  }

  async #ask(method: string, path: string, body?: unknown): Promise<Response> {
    const response = await fetch(this.#base + path, {
      method,
      headers: {
        authorization: this.#authorization,
        accept: 'application/json',
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      redirect: 'error',
      signal: AbortSignal.timeout(requestMs),
    });
    if (response.ok) return response;
    await response.body?.cancel();
    throw new Error(`EMQX answered ${response.status} to ${method} ${path.split('?', 1)[0]}`);
  }
}
