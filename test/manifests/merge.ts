export interface Tree {
  [key: string]: unknown;
}

const isTree = (value: unknown): value is Tree => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Lists of Kubernetes that a strategic merge joins by a key; every other list is replaced. */
const keyOf: Record<string, string> = {
  containers: 'name',
  env: 'name',
  volumes: 'name',
  volumeMounts: 'mountPath',
  ports: 'containerPort',
  topologySpreadConstraints: 'topologyKey',
};

/** A strategic merge, as far as the patches of this repository need one. Items of the patch come first, as in kubectl. */
export function mergeInto(target: Tree, changes: Tree): void {
  for (const [name, change] of Object.entries(structuredClone(changes))) {
    const there = target[name];
    const key = keyOf[name];
    if (isTree(there) && isTree(change)) mergeInto(there, change);
    else if (key && Array.isArray(there) && Array.isArray(change)) target[name] = mergeLists(there, change, key);
    else target[name] = change;
  }
}

function mergeLists(there: Tree[], changes: Tree[], key: string): Tree[] {
  const same = (one: Tree, other: Tree) => one[key] === other[key];
  const merged = there.map((item) => {
    const change = changes.find((candidate) => same(candidate, item));
    if (change) mergeInto(item, change);
    return item;
  });
  return [...changes.filter((change) => !there.some((item) => same(item, change))), ...merged];
}
