import { Failure } from '../../shared/contracts/index.ts';
import { VaultError } from '../../shared/runtime/vault.ts';
import { change, found } from '../../shared/store/change.ts';
import type { Collection } from '../../shared/store/collection.ts';
import type { Emit } from '../deps.ts';
import type { Credentials } from './credentials.store.ts';
import { renewal } from './due.rules.ts';
import { type Given, type OAuth, type OAuthClientKeys, pubsubScope, sdmScope, TokenError } from './google/oauth.ts';
import type { SealedParts } from './keys.ts';
import { redirectUriOf, type states } from './state.ts';

export interface AuthorizationDeps {
  credentials: Collection<Credentials>;
  parts: SealedParts;
  oauth: OAuth;
  state: ReturnType<typeof states>;
  emit: Emit;
}

const firstListMs = 30_000;
const wanted = ({ pubsubSubscription }: Credentials): string[] =>
  pubsubSubscription ? [sdmScope, pubsubScope] : [sdmScope];

/** How a user grants access to devices: the link, and what comes back. */
export function authorization({ credentials, parts, oauth, state, emit }: AuthorizationDeps) {
  /** @throws Failure CONFLICT where no configured key opens what is sealed */
  function opened(record: Credentials) {
    try {
      return { client: parts.client(record), project: parts.project(record), tokens: parts.tokens(record) };
    } catch (cause) {
      if (!(cause instanceof VaultError)) throw cause;
      const sentence = 'The stored credentials cannot be opened with the configured encryption keys; enter them again';
      throw new Failure('CONFLICT', sentence, { cause });
    }
  }

  /** @throws Failure INVALID_REQUEST where Google refuses, UNAVAILABLE where it does not answer */
  async function exchange(client: OAuthClientKeys, code: string, redirectUri: string): Promise<Given> {
    try {
      return await oauth.exchange(client, code, redirectUri);
    } catch (error) {
      if (!(error instanceof TokenError)) throw error;
      if (error.revoked) throw new Failure('INVALID_REQUEST', `Google refused the code: ${error.message}`);
      throw new Failure('UNAVAILABLE', `Google gave no tokens: ${error.message}`, { retryAfter: 10, cause: error });
    }
  }

  return {
    /**
     * Where a user grants access; where access was granted, where they change what is shared.
     * @throws Failure NOT_FOUND, CONFLICT
     */
    async url(id: string, origin: string): Promise<string> {
      const record = found(await credentials.get(id));
      const { project, tokens, client } = opened(record);
      if (project === null) throw new Failure('CONFLICT', 'These credentials have no dac_project_id yet');
      const scopes = wanted(record);
      // A subscription that was named later needs a consent of its own.
      if (tokens && scopes.every((scope) => tokens.scope.split(' ').includes(scope))) return oauth.sharingUrl(project);
      const redirectUri = redirectUriOf(origin);
      const link = { redirectUri, state: state.make({ id, redirectUri }), scopes };
      return oauth.consentUrl(client, project, link);
    },

    /**
     * What Google sent back: the code becomes tokens, which are stored.
     * @throws Failure INVALID_REQUEST, NOT_FOUND, CONFLICT, UNAVAILABLE; nothing is changed then
     */
    async finish(answer: { state: string; code: string; origin?: string | undefined }): Promise<Credentials> {
      const { id, redirectUri } = await state.use(answer.state, answer.origin);
      const record = found(await credentials.get(id));
      const given = await exchange(opened(record).client, answer.code, redirectUri);
      const { accessToken, refreshToken } = given;
      if (!refreshToken) throw new Failure('INVALID_REQUEST', 'Google gave no refresh token; ask for a new link');
      const scope = given.scope ?? wanted(record).join(' ');
      if (!scope.split(' ').includes(sdmScope)) {
        throw new Failure('INVALID_REQUEST', 'The access to cameras was not granted');
      }
      const sealedTokens = parts.sealTokens(id, { accessToken, refreshToken, scope });
      const now = Date.now();
      // Devices are listed next, by who asked; soon by anybody, where that process dies first.
      const due = { syncAt: new Date(now + firstListMs).toISOString(), syncFailures: 0 };
      const stored = await change(credentials, id, (current) => {
        if (current.checksum !== record.checksum)
          throw new Failure('CONFLICT', 'The OAuth client was changed meanwhile');
        return { sealedTokens, ...renewal(now, given.lifetimeMs), ...due };
      });
      await emit('credentials', 'authenticated', id, { description: stored.description });
      return stored;
    },
  };
}
