// What the rules of the schema refuse, and resources may have that were stored before them.

/** Pod annotations by which runtimes loosen what `securityContext` asks for; `podTemplate.annotations` may not name them. */
export const WEAKENING_PREFIXES = [
  'container.apparmor.security.beta.kubernetes.io/',
  'container.seccomp.security.alpha.kubernetes.io/',
  'seccomp.security.alpha.kubernetes.io/',
  'security.alpha.kubernetes.io/',
  'io.kubernetes.cri',
  'io.containerd.',
  'io.katacontainers.',
  'dev.gvisor.',
] as const;

/** Whether a pod annotation may loosen the sandbox. Stored resources may have one from before it was refused. */
export const isWeakening = (annotation: string): boolean =>
  WEAKENING_PREFIXES.some(prefix => annotation.startsWith(prefix));

/**
 * Request headers that decide where a message ends, belong to one connection only, or speak for somebody else: the next
 * request on the same connection would be read wrongly, or asked as another user through the API server's proxy.
 */
export const FORBIDDEN_HEADERS = [
  'connection',
  'content-length',
  'expect',
  'host',
  'http2-settings',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
] as const;
export const FORBIDDEN_HEADER_PREFIXES = ['impersonate-', 'proxy-', 'x-remote-'] as const;
/** With these the operator shows its own token to /metrics. */
export const TOKEN_HEADERS = ['authorization', 'x-scrape-token'] as const;

/** Whether a smoke test may send it; the same as the rules of the schema, for what was stored before them. */
export function maySend(header: string, path: string): boolean {
  const name = header.toLowerCase();
  const has = (list: readonly string[]) => list.includes(name);
  return !(
    has(FORBIDDEN_HEADERS) ||
    FORBIDDEN_HEADER_PREFIXES.some(prefix => name.startsWith(prefix)) ||
    (path.startsWith('/metrics') && has(TOKEN_HEADERS))
  );
}
