// Git repositories, served as a Git host serves them: `git http-backend` answers behind a server on loopback.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { temporaryFolder } from '../../services/common/testing/processes.ts';
import { run } from '../cluster/run.ts';

const BRANCH = 'main';
/** Nothing of this machine's own configuration counts. */
const ENVIRONMENT = {
  PATH: process.env['PATH'],
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_AUTHOR_NAME: 'ana',
  GIT_AUTHOR_EMAIL: 'ana@shop.example',
  GIT_COMMITTER_NAME: 'ana',
  GIT_COMMITTER_EMAIL: 'ana@shop.example',
};

export class GitRepository {
  readonly url: string;
  readonly #folder: string;

  constructor(url: string, folder: string) {
    this.url = url;
    this.#folder = folder;
  }

  /** Files by path; undefined: deleted. Returns the revision in Flux's words. */
  async commit(files: Readonly<Record<string, string | undefined>>): Promise<string> {
    for (const [path, content] of Object.entries(files)) {
      const file = join(this.#folder, path);
      mkdirSync(dirname(file), { recursive: true });
      if (content === undefined) rmSync(file);
      else writeFileSync(file, content);
    }
    await this.#git('add', '--all');
    await this.#git('commit', '--quiet', '--message', `change ${Object.keys(files).join(', ')}`);
    return `${BRANCH}@sha1:${(await this.#git('rev-parse', 'HEAD')).trim()}`;
  }

  async open(): Promise<this> {
    mkdirSync(this.#folder);
    await this.#git('init', '--quiet', `--initial-branch=${BRANCH}`);
    return this;
  }

  #git(...args: readonly string[]): Promise<string> {
    return run(['git', ...args], { cwd: this.#folder, env: ENVIRONMENT });
  }
}

export class GitHost {
  readonly #folder = temporaryFolder('devshelf-git-');
  readonly #server = createServer((request, response) => {
    this.#answer(request, response).catch(error => response.writeHead(500).end(String(error)));
  });

  async listen(): Promise<void> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  /** A new one. */
  repository(name: string): Promise<GitRepository> {
    const { port } = this.#server.address() as AddressInfo;
    return new GitRepository(`http://127.0.0.1:${port}/${name}/.git`, join(this.#folder.path, name)).open();
  }

  async end(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
    this.#folder.remove();
  }

  /** What a web server does for a CGI program: the request as its environment, its header lines as the answer's. */
  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, search } = new URL(request.url ?? '/', 'http://git');
    const { headers } = request;
    const backend = spawn('git', ['http-backend'], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: {
        ...ENVIRONMENT,
        GIT_PROJECT_ROOT: this.#folder.path,
        GIT_HTTP_EXPORT_ALL: '1',
        REQUEST_METHOD: request.method,
        PATH_INFO: pathname,
        QUERY_STRING: search.slice(1),
        CONTENT_TYPE: headers['content-type'] ?? '',
        HTTP_CONTENT_ENCODING: headers['content-encoding'] ?? '',
        GIT_PROTOCOL: String(headers['git-protocol'] ?? ''),
      },
    });
    request.pipe(backend.stdin);
    const output = await buffer(backend.stdout);
    const end = output.indexOf('\r\n\r\n');
    const lines = output.subarray(0, end).toString('latin1').split('\r\n');
    for (const line of lines) {
      const [, name = '', value = ''] = /^([^:]+): (.*)$/.exec(line) ?? [];
      if (name === 'Status') response.statusCode = Number.parseInt(value, 10);
      else if (name !== '') response.setHeader(name, value);
    }
    response.end(output.subarray(end + 4));
  }
}
