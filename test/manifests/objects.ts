import type { IDeployment, IStatefulSet } from 'kubernetes-models/apps/v1';
import type { IJob } from 'kubernetes-models/batch/v1';
import type { IContainer, IPodTemplateSpec } from 'kubernetes-models/v1';

/** Any object of Kubernetes, as YAML gives it. */
export interface KubeObject {
  apiVersion: string;
  kind: string;
  metadata: { name: string; labels?: Record<string, string> };
  spec?: unknown;
  /** Of a ConfigMap as text, of a Secret in base64. */
  data?: Record<string, string>;
}

/** What runs pods. */
export interface PodOwner {
  name: string;
  kind: string;
  replicas: number;
  template: IPodTemplateSpec;
}

export const titleOf = ({ kind, metadata }: KubeObject): string => `${kind} ${metadata.name}`;

export const ofKind = (objects: readonly KubeObject[], kind: string): KubeObject[] =>
  objects.filter((object) => object.kind === kind);

const owners = ['Deployment', 'StatefulSet', 'Job'];

export function podOwners(objects: readonly KubeObject[]): PodOwner[] {
  return objects
    .filter(({ kind }) => owners.includes(kind))
    .map((object) => {
      const { spec } = object as unknown as IDeployment | IStatefulSet | IJob;
      const replicas = (spec as { replicas?: number } | undefined)?.replicas ?? 1;
      return { name: object.metadata.name, kind: object.kind, replicas, template: spec?.template as IPodTemplateSpec };
    });
}

export const containersOf = ({ template }: PodOwner): IContainer[] => [
  ...(template.spec?.initContainers ?? []),
  ...(template.spec?.containers ?? []),
];

/** Labels of the pods of an owner. */
export const podLabels = ({ template }: PodOwner): Record<string, string> => template.metadata?.labels ?? {};

export interface Selector {
  matchLabels?: Record<string, string>;
  matchExpressions?: { key: string; operator: string; values?: string[] }[];
}

/** As the API server reads a LabelSelector; an empty one matches everything. */
export function selects(selector: Selector, labels: Record<string, string>): boolean {
  const equal = Object.entries(selector.matchLabels ?? {}).every(([key, value]) => labels[key] === value);
  return equal && (selector.matchExpressions ?? []).every((expression) => expressionHolds(expression, labels));
}

function expressionHolds(
  { key, operator, values = [] }: NonNullable<Selector['matchExpressions']>[number],
  labels: Record<string, string>,
): boolean {
  const value = labels[key];
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    default:
      throw new Error(`there is no operator ${operator}`);
  }
}
