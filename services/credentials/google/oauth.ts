import { OAuth2Client } from 'google-auth-library';
import type { Config } from '../../../shared/runtime/config.ts';

export const sdmScope = 'https://www.googleapis.com/auth/sdm.service';
export const pubsubScope = 'https://www.googleapis.com/auth/pubsub';

/** Milliseconds for one request of the token endpoint. */
const tokenMs = 4_000;

export interface OAuthClientKeys {
  clientId: string;
  clientSecret: string;
}

/** Tokens as they are sealed. */
export interface Tokens {
  accessToken: string;
  refreshToken: string;
  /** Separated by spaces. */
  scope: string;
}

export interface Given {
  accessToken: string;
  /** Only where Google gives a new one. */
  refreshToken: string | null;
  scope: string | null;
  /** Milliseconds for which the access token is good. */
  lifetimeMs: number;
}

/** Why no token was given. `revoked`: the grant or the code is no good any more; all else may pass. */
export class TokenError extends Error {
  override readonly name = 'TokenError';
  readonly revoked: boolean;
  constructor(message: string, revoked: boolean) {
    super(message);
    this.revoked = revoked;
  }
}

/** Google's OAuth: the page on which a user agrees, and the token endpoint. */
export function oauth(config: Pick<Config, 'googleConsentUrl' | 'googleTokenUrl'>) {
  const clientOf = ({ clientId, clientSecret }: OAuthClientKeys, consent = config.googleConsentUrl) =>
    new OAuth2Client({
      clientId,
      clientSecret,
      endpoints: { oauth2AuthBaseUrl: consent, oauth2TokenUrl: config.googleTokenUrl },
      // Repeating is the caller's, who knows what all processes together do.
      transporterOptions: { timeout: tokenMs, retryConfig: { retry: 0 }, fetchImplementation: fetch },
    });
  const sharing = (project: string) => `${config.googleConsentUrl}/${encodeURIComponent(project)}`;

  return {
    /** Where a user changes which homes and devices are shared. */
    sharingUrl: sharing,
    /** Where a user grants access (the Partner Connections Manager; Google's plain consent page shares no device). */
    consentUrl: (
      keys: OAuthClientKeys,
      project: string,
      { redirectUri, state, scopes }: { redirectUri: string; state: string; scopes: string[] },
    ): string =>
      clientOf(keys, `${sharing(project)}/auth`).generateAuthUrl({
        redirect_uri: redirectUri,
        access_type: 'offline',
        // A refresh token comes with a fresh consent only.
        prompt: 'consent',
        scope: scopes,
        state,
      }),
    /** @throws TokenError */
    async exchange(keys: OAuthClientKeys, code: string, redirectUri: string): Promise<Given> {
      const { tokens } = await clientOf(keys).getToken({ code, redirect_uri: redirectUri }).catch(failed);
      return given(tokens);
    },
    /** @throws TokenError */
    async refresh(keys: OAuthClientKeys, refreshToken: string): Promise<Given> {
      const client = clientOf(keys);
      client.setCredentials({ refresh_token: refreshToken });
      let rotated: string | null = null;
      // The library puts the old refresh token over a new one; only its event tells what Google sent.
      client.once('tokens', (tokens) => {
        rotated = tokens.refresh_token ?? null;
      });
      const { credentials } = await client.refreshAccessToken().catch(failed);
      return { ...given(credentials), refreshToken: rotated };
    },
  };
}

export type OAuth = ReturnType<typeof oauth>;

interface LibraryTokens {
  access_token?: string | null;
  refresh_token?: string | null;
  expiry_date?: number | null;
  scope?: string;
}

/** @throws TokenError */
function given({ access_token, refresh_token, expiry_date, scope }: LibraryTokens): Given {
  if (!access_token || !expiry_date) throw new TokenError('Google sent no access token', false);
  return {
    accessToken: access_token,
    refreshToken: refresh_token ?? null,
    scope: scope ?? null,
    lifetimeMs: Math.max(0, expiry_date - Date.now()),
  };
}

/** RFC 6749, 5.2; the message holds Google's words and none of ours that are secret. */
function failed(error: unknown): never {
  const { response, code, message } = error as {
    response?: { status?: number; data?: { error?: unknown; error_description?: unknown } };
    code?: unknown;
    message?: string;
  };
  const name = response?.data?.error;
  if (typeof name !== 'string') {
    const why = response?.status
      ? `HTTP ${response.status}`
      : typeof code === 'string'
        ? code
        : (message ?? 'no answer');
    throw new TokenError(`Google's token endpoint: ${why}`.slice(0, 300), false);
  }
  const { error_description: description } = response?.data ?? {};
  const told = typeof description === 'string' ? `${name}: ${description}` : name;
  throw new TokenError(told.replace(/[\p{Cc}\s]+/gu, ' ').slice(0, 300), name === 'invalid_grant');
}
