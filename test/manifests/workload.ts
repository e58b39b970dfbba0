/** A container of a manifest, whoever's format it was in. */
export interface Workload {
  /** `gateway-http`, `service-auth`, `nats`, … as the manifest names it. */
  name: string;
  image: string;
  replicas: number;
  /** All of it; empty where the image decides. */
  command: string[];
  env: Record<string, string>;
  /** Path in the container to the text of the file mounted there. */
  files: Record<string, string>;
  /** Directories in the container that can be written. */
  directories: string[];
  /** Ports of the container that probes, Services and the outside are told of. */
  ports: number[];
  /** Where its health is asked for: path and port of the container. */
  probes: { kind: 'live' | 'ready'; path: string; port: number }[];
}

export const isTrigate = ({ image }: Workload): boolean => /(^|\/)trigate(:|$)/.test(image);

/** `services/main.ts auth` is service-auth. */
export function roleOf({ command }: Workload): string {
  const [, main = '', name = ''] = command;
  return `${main.replace(/s\/main\.ts$/, '')}-${name}`;
}
