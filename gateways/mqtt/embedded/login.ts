import type { Principal } from '../../../shared/runtime/principal.ts';

/** Who a client logged in as. */
export class Login {
  readonly #token: string | undefined;
  #principal: Principal;

  /** `token`: what it presented; undefined for nobody, who stays nobody. */
  constructor(principal: Principal, token: string | undefined) {
    this.#principal = principal;
    this.#token = token;
  }

  get principal(): Principal {
    return this.#principal;
  }

  /** Its user has changed. @throws Failure where it is not known who it is now: it stays who it was */
  async refresh(bearer: (token: string) => Promise<Principal>): Promise<void> {
    if (this.#token !== undefined) this.#principal = await bearer(this.#token);
  }
}
