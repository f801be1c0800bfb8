// What keeps a pod from serving, and whose fault it is. One table, because a release is taken back by it.
//
// | seen                                                         | whose         |
// |--------------------------------------------------------------|---------------|
// | container killed for memory (OOMKilled)                      | the release's |
// | container ended by itself, or by its liveness probe          | the release's |
// | pod evicted for exceeding a limit of its own (disk, memory)  | the release's |
// | pod evicted because its node was short of something          | the node's    |
// | drained, preempted, tainted, shut down, node lost            | the node's    |
// | not admitted by its kubelet (OutOfcpu, affinity, …)          | the node's    |
// | no node has room; a quota or an admission policy refuses it  | the cluster's |
// | its image cannot be pulled, its configuration is not there   | the cluster's |
import type { PodEnd, PodView } from '../snapshot.ts';

/** The pod's own limit was exceeded: without a disruption of the node, the kubelet evicts for nothing else. */
export const isOwnEnd = ({ reason, disrupted }: PodEnd): boolean => reason === 'Evicted' && !disrupted;

/** Evicted for its node's sake. Again and again, and nobody else: it is what presses the node. */
export const isPressed = ({ reason, disrupted }: PodEnd): boolean => reason === 'Evicted' && disrupted;

const NOT_STARTING = [
  'ErrImagePull',
  'ErrImageNeverPull',
  'ImagePullBackOff',
  'ImageInspectError',
  'InvalidImageName',
  'RegistryUnavailable',
  'CreateContainerConfigError',
  'CreateContainerError',
  'RunContainerError',
];

/** In the words of the scheduler or the kubelet: why this pod has not even started. The release is not to blame. */
export function startFault({ unschedulable, waiting }: PodView): string | undefined {
  if (unschedulable !== undefined) return unschedulable;
  return waiting && NOT_STARTING.includes(waiting.reason)
    ? `${waiting.reason}: ${waiting.message}`.replace(/: $/, '')
    : undefined;
}

/** What there is to say about a pod that is not ready. */
export const wordsAbout = (pod: PodView): string | undefined =>
  startFault(pod) ?? (pod.waiting && `${pod.waiting.reason} ${pod.waiting.message}`.trim()) ?? pod.lastExit;

/** The first pod of these that is not ready and of which somebody says why, with its name. */
export function trouble(pods: readonly PodView[]): string | undefined {
  for (const pod of pods) {
    const words = pod.ready ? undefined : wordsAbout(pod);
    if (words !== undefined) return `${pod.name}: ${words}`;
  }
  return undefined;
}
