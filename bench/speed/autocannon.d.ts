declare module 'autocannon' {
  type Request = {
    readonly method?: string;
    readonly path?: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: string;
  };
  type Options = {
    readonly url: string;
    readonly connections: number;
    /** seconds */
    readonly duration: number;
    /** of all connections together, requests a second */
    readonly overallRate?: number;
    readonly requests: readonly Request[];
    /** seconds */
    readonly timeout?: number;
    /** of each connection, before its first request */
    readonly setupClient?: (client: { setRequests(requests: readonly Request[]): void }) => void;
  };
  type Result = {
    readonly duration: number;
    readonly errors: number;
    readonly timeouts: number;
    readonly non2xx: number;
    readonly '4xx': number;
    readonly '5xx': number;
    readonly requests: { readonly total: number };
    /** milliseconds */
    readonly latency: { readonly p50: number; readonly p97_5: number; readonly p99: number; readonly max: number };
  };
  export default function autocannon(options: Options): Promise<Result>;
}
