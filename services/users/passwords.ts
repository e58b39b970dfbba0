import argon2 from 'argon2';

/** OWASP's parameters for argon2id: 19 MiB, two passes, one lane. */
const options = { type: argon2.argon2id, memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;

export const hashPassword = (password: string): Promise<string> => argon2.hash(password, options);

let decoy: Promise<string> | undefined;

/** Takes as long for an unknown user (no hash) as for a wrong password. */
export async function passwordFits(hash: string | undefined, password: string): Promise<boolean> {
  decoy ??= hashPassword('nobody has this password');
  const fits = await argon2.verify(hash ?? (await decoy), password);
  return hash !== undefined && fits;
}
