import type { IHorizontalPodAutoscaler } from 'kubernetes-models/autoscaling/v2';
import type { IIngress, INetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1';
import type { IPodDisruptionBudget } from 'kubernetes-models/policy/v1';
import type { IService } from 'kubernetes-models/v1';
import {
  containersOf,
  type KubeObject,
  ofKind,
  type PodOwner,
  podLabels,
  podOwners,
  type Selector,
  selects,
  titleOf,
} from './objects.ts';

type Model = new (object: KubeObject) => { validate(): void };

/** What kubernetes-models, made from the API's own description, has against the objects. */
export async function modelProblems(objects: readonly KubeObject[]): Promise<string[]> {
  const found = await Promise.all(
    objects.map(async (object) => {
      try {
        const models = (await import(`kubernetes-models/${object.apiVersion}`)) as Record<string, Model>;
        const model = models[object.kind];
        if (!model) return `${titleOf(object)}: ${object.apiVersion} has no such kind`;
        new model(object).validate();
        return [];
      } catch (error) {
        return `${titleOf(object)}: ${(error as Error).message}`;
      }
    }),
  );
  return found.flat();
}

/** What one object says of another that is not so. Empty when all fits. */
export function referenceProblems(objects: readonly KubeObject[]): string[] {
  const owners = podOwners(objects);
  return [
    ...twice(objects),
    ...owners.flatMap(ownSelectorProblems(objects)),
    ...ofKind(objects, 'Service').flatMap((object) => serviceProblems(object as unknown as IService, owners)),
    ...ofKind(objects, 'NetworkPolicy').flatMap((object) =>
      policyProblems(object as unknown as INetworkPolicy, owners),
    ),
    ...ofKind(objects, 'PodDisruptionBudget').flatMap((object) => {
      const { spec } = object as unknown as IPodDisruptionBudget;
      return someOwner(titleOf(object), (spec?.selector ?? {}) as Selector, owners);
    }),
    ...ofKind(objects, 'HorizontalPodAutoscaler').flatMap((object) => {
      const { spec } = object as unknown as IHorizontalPodAutoscaler;
      const there = owners.some(
        ({ kind, name }) => kind === spec?.scaleTargetRef.kind && name === spec.scaleTargetRef.name,
      );
      return there ? [] : [`${titleOf(object)}: scales ${spec?.scaleTargetRef.name}, which is not there`];
    }),
    ...ofKind(objects, 'Ingress').flatMap((object) => ingressProblems(object as unknown as IIngress, objects)),
  ];
}

function twice(objects: readonly KubeObject[]): string[] {
  const titles = objects.map(titleOf);
  return titles.filter((title, at) => titles.indexOf(title) !== at).map((title) => `${title}: is there twice`);
}

const ownSelectorProblems = (objects: readonly KubeObject[]) => (owner: PodOwner) => {
  if (owner.kind === 'Job') return [];
  const object = ofKind(objects, owner.kind).find(({ metadata }) => metadata.name === owner.name);
  const { selector = {}, serviceName } = (object?.spec ?? {}) as { selector?: Selector; serviceName?: string };
  const service = ofKind(objects, 'Service').some(({ metadata }) => metadata.name === serviceName);
  return [
    ...(selects(selector, podLabels(owner)) ? [] : [`${owner.name}: does not select its own pods`]),
    ...(owner.kind !== 'StatefulSet' || service ? [] : [`${owner.name}: its Service ${serviceName} is not there`]),
  ];
};

const someOwner = (title: string, selector: Selector, owners: readonly PodOwner[]): string[] =>
  owners.some((owner) => selects(selector, podLabels(owner))) ? [] : [`${title}: selects no pod`];

function serviceProblems({ metadata, spec }: IService, owners: readonly PodOwner[]): string[] {
  const title = `Service ${metadata?.name}`;
  const selector = { matchLabels: spec?.selector as Record<string, string> };
  const chosen = owners.filter((owner) => selects(selector, podLabels(owner)));
  if (!spec?.selector || chosen.length !== 1) return [`${title}: selects ${chosen.length} kinds of pods`];
  const ports = containersOf(chosen[0] as PodOwner).flatMap((container) => container.ports ?? []);
  return (spec.ports ?? [])
    .filter(({ targetPort }) => !ports.some((port) => port.name === targetPort || port.containerPort === targetPort))
    .map(({ targetPort }) => `${title}: no container has a port ${targetPort}`);
}

/** Who is let in where: the pods named and the ports must be there. */
function policyProblems({ metadata, spec }: INetworkPolicy, owners: readonly PodOwner[]): string[] {
  const title = `NetworkPolicy ${metadata?.name}`;
  const portsOf = (selector: Selector) =>
    owners
      .filter((owner) => selects(selector, podLabels(owner)))
      .flatMap((owner) => containersOf(owner).flatMap((container) => container.ports ?? []));
  const portProblems = (selector: Selector, ports: { port?: string | number }[] = []) =>
    ports
      .filter(({ port }) => !portsOf(selector).some(({ containerPort }) => containerPort === port))
      .map(({ port }) => `${title}: no such pod has a port ${port}`);
  const selector = (spec?.podSelector ?? {}) as Selector;
  const peers = [...(spec?.ingress ?? []).map(({ from }) => from), ...(spec?.egress ?? []).map(({ to }) => to)]
    .flatMap((list) => list ?? [])
    .flatMap(({ podSelector }) => (podSelector ? [podSelector as Selector] : []));
  return [
    ...someOwner(title, selector, owners),
    ...peers.flatMap((peer) => someOwner(title, peer, owners)),
    ...(spec?.ingress ?? []).flatMap(({ ports }) => portProblems(selector, ports)),
    ...(spec?.egress ?? []).flatMap(({ to, ports }) =>
      (to ?? []).flatMap(({ podSelector }) => (podSelector ? portProblems(podSelector as Selector, ports) : [])),
    ),
  ];
}

function ingressProblems({ metadata, spec }: IIngress, objects: readonly KubeObject[]): string[] {
  const backends = (spec?.rules ?? []).flatMap(({ http }) => http?.paths ?? []).map(({ backend }) => backend.service);
  return backends
    .filter((backend) => {
      const service = ofKind(objects, 'Service').find((object) => object.metadata.name === backend?.name);
      const { ports } = (service?.spec ?? {}) as { ports?: { name: string; port: number }[] };
      return !ports?.some(({ name, port }) => name === backend?.port?.name || port === backend?.port?.number);
    })
    .map((backend) => `Ingress ${metadata?.name}: ${backend?.name} is not there or has no such port`);
}

/** What every pod has to forgo: root, writing to the image, capabilities, a token of the API. */
export const hardeningProblems = (objects: readonly KubeObject[]): string[] =>
  podOwners(objects).flatMap((owner) => {
    const pod = owner.template.spec;
    const held = (what: boolean | undefined, rule: string) => (what ? [] : [`${owner.name}: ${rule}`]);
    return [
      ...held(pod?.securityContext?.runAsNonRoot, 'may run as root'),
      ...held((pod?.securityContext?.runAsUser ?? 0) > 0, 'has no user of its own'),
      ...held(pod?.securityContext?.seccompProfile?.type === 'RuntimeDefault', 'has no seccomp profile'),
      ...held(pod?.automountServiceAccountToken === false, 'is given a token of the API'),
      ...held(pod?.enableServiceLinks === false, 'is given variables such as HTTP_PORT by Kubernetes'),
      ...containersOf(owner).flatMap(({ securityContext: context, resources }) => [
        ...held(context?.allowPrivilegeEscalation === false, 'may gain privileges'),
        ...held(context?.readOnlyRootFilesystem, 'may write to its image'),
        ...held(context?.capabilities?.drop?.includes('ALL'), 'keeps capabilities'),
        ...held(Boolean(resources?.requests?.cpu && resources.requests.memory), 'asks for no resources'),
        ...held(Boolean(resources?.limits?.memory), 'has no limit of memory'),
      ]),
    ];
  });
