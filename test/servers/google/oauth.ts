import { randomBytes } from 'node:crypto';
import { type Clock, second } from './clock.ts';
import { type Answer, type Ask, GoogleError, json, type Reply } from './http.ts';

export const sdmScope = 'https://www.googleapis.com/auth/sdm.service';
export const pubsubScope = 'https://www.googleapis.com/auth/pubsub';
const accessLifetime = 3_599;

/** An OAuth client of type web and the Device Access project that holds it. */
export interface OAuthClient {
  oauth_client_id: string;
  oauth_client_secret: string;
  dac_project_id: string;
}

export interface Grant {
  client: OAuthClient;
  user: string;
  scopes: string[];
  /** Set by the first devices.list: before it no events are sent. */
  listed: boolean;
  revoked: boolean;
}

interface Code {
  grant: Grant;
  redirectUri: string;
}

/** Begins with the mark that the conformance suite looks for in answers. */
const token = (kind: string) => `s3cret-${kind}-${randomBytes(24).toString('base64url')}`;
const oauthError = (status: number, error: string, description: string): Reply =>
  json({ error, error_description: description }, status);

/** The consent page of the Partner Connections Manager, and the token endpoint. */
export class OAuth {
  readonly #clock: Clock;
  readonly #clients: readonly OAuthClient[];
  readonly #codes = new Map<string, Code>();
  readonly #refresh = new Map<string, Grant>();
  readonly #access = new Map<string, { grant: Grant; ends: number }>();
  /** Who sits before the consent page. */
  user = 'user-1';
  /** Whether they refuse. */
  denies = false;
  /** So many of the next calls of the token endpoint fail, with 503. */
  failing = 0;
  exchanged = 0;
  refreshed = 0;

  constructor(clients: readonly OAuthClient[], clock: Clock) {
    this.#clients = clients;
    this.#clock = clock;
  }

  answer: Answer = (ask) => {
    const consent = /^\/partnerconnections\/([^/]+)\/auth$/.exec(ask.path);
    if (consent && ask.method === 'GET') return this.#consent(consent[1] as string, ask.query);
    return ask.path === '/token' && ask.method === 'POST' ? this.#token(ask.body) : null;
  };

  /** @throws GoogleError 401 */
  granted({ headers }: Ask): Grant {
    const bearer = /^Bearer (\S+)$/.exec(headers.authorization ?? '')?.[1];
    const known = bearer === undefined ? undefined : this.#access.get(bearer);
    if (!known || known.ends < performance.now() || known.grant.revoked) {
      const message = 'Request had invalid authentication credentials. Expected OAuth 2 access token.';
      throw new GoogleError(401, 'UNAUTHENTICATED', message);
    }
    return known.grant;
  }

  listed = (user: string): boolean =>
    [...this.#refresh.values()].some((grant) => grant.user === user && grant.listed && !grant.revoked);

  revoke(user: string): void {
    for (const grant of this.#refresh.values()) if (grant.user === user) grant.revoked = true;
  }

  expireAccessTokens(): void {
    this.#access.clear();
  }

  #consent(project: string, query: URLSearchParams): Reply {
    const client = this.#clients.find((one) => one.oauth_client_id === query.get('client_id'));
    const scopes = (query.get('scope') ?? '').split(' ');
    const wrong =
      !client || client.dac_project_id !== project
        ? 'invalid_client'
        : query.get('response_type') !== 'code' || !query.get('redirect_uri')
          ? 'invalid_request'
          : query.get('access_type') !== 'offline' || query.get('prompt') !== 'consent'
            ? 'no refresh token would be given'
            : scopes.includes(sdmScope)
              ? null
              : 'invalid_scope';
    if (wrong || !client) return { status: 400, body: `Error 400: ${wrong}` };
    const back = new URL(query.get('redirect_uri') as string);
    const state = query.get('state');
    if (state !== null) back.searchParams.set('state', state);
    if (this.denies) back.searchParams.set('error', 'access_denied');
    else {
      const code = token('4/code');
      const grant = { client, user: this.user, scopes, listed: false, revoked: false };
      this.#codes.set(code, { grant, redirectUri: query.get('redirect_uri') as string });
      back.searchParams.set('code', code);
      back.searchParams.set('scope', scopes.join(' '));
      back.searchParams.set('authuser', '0');
      back.searchParams.set('prompt', 'consent');
    }
    return { status: 302, headers: { location: back.href } };
  }

  #token(form: Record<string, unknown>): Reply {
    if (this.failing > 0) {
      this.failing -= 1;
      return { status: 503, body: 'Service Unavailable' };
    }
    const client = this.#clients.find((one) => one.oauth_client_id === form.client_id);
    if (!client || client.oauth_client_secret !== form.client_secret) {
      return oauthError(401, 'invalid_client', 'The OAuth client was not found.');
    }
    if (form.grant_type === 'authorization_code') return this.#exchange(client, form);
    if (form.grant_type === 'refresh_token') return this.#renew(client, form);
    return oauthError(400, 'unsupported_grant_type', `Invalid grant_type: ${form.grant_type}`);
  }

  #exchange(client: OAuthClient, form: Record<string, unknown>): Reply {
    const code = this.#codes.get(String(form.code));
    this.#codes.delete(String(form.code));
    if (!code || code.grant.client !== client) return oauthError(400, 'invalid_grant', 'Malformed auth code.');
    if (code.redirectUri !== form.redirect_uri) return oauthError(400, 'redirect_uri_mismatch', 'Bad Request');
    const refresh = token('1//refresh');
    this.#refresh.set(refresh, code.grant);
    this.exchanged += 1;
    return json({ ...this.#tokens(code.grant), refresh_token: refresh });
  }

  #renew(client: OAuthClient, form: Record<string, unknown>): Reply {
    const grant = this.#refresh.get(String(form.refresh_token));
    if (!grant || grant.revoked || grant.client !== client) {
      return oauthError(400, 'invalid_grant', 'Token has been expired or revoked.');
    }
    this.refreshed += 1;
    return json(this.#tokens(grant));
  }

  #tokens(grant: Grant) {
    const access = token('ya29.access');
    this.#access.set(access, { grant, ends: performance.now() + this.#clock.ms(accessLifetime * second) });
    const expires = Math.max(1, Math.round(accessLifetime / this.#clock.factor));
    return { access_token: access, expires_in: expires, scope: grant.scopes.join(' '), token_type: 'Bearer' };
  }
}
