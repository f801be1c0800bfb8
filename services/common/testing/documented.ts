import type { FastifyInstance, InjectOptions, LightMyRequestResponse } from 'fastify';
import * as z from 'zod';
import { pathOf } from '../requests.ts';

type Json = Record<string, unknown>;
type Answer = {
  readonly headers?: Record<string, object>;
  readonly content?: Record<string, { readonly schema: Json }>;
};
type Operation = { readonly responses: Record<string, Answer> };
export type OpenApi = {
  readonly paths: Record<string, Record<string, Operation>>;
  readonly components: { readonly schemas: Record<string, Json> };
};

export const documentOf = async (app: FastifyInstance): Promise<OpenApi> => (await app.inject('/openapi.json')).json();

/**
 * Injects a request and holds the answer to the OpenAPI document: its status is documented for the route, its body
 * fits the schema of that status.
 * @throws Error that says what is not documented
 */
export async function askDocumented(app: FastifyInstance, request: InjectOptions): Promise<LightMyRequestResponse> {
  const [document, response] = [await documentOf(app), await app.inject(request)];
  const fault = undocumented(document, request, response);
  if (fault !== undefined) throw new Error(`${request.method} ${request.url}: ${response.statusCode}: ${fault}`);
  return response;
}

function undocumented(document: OpenApi, request: InjectOptions, response: LightMyRequestResponse): string | undefined {
  const path = Object.keys(document.paths).find(template => matches(template, String(request.url)));
  const operation = path === undefined ? undefined : document.paths[path]?.[String(request.method).toLowerCase()];
  const described = operation?.responses[response.statusCode];
  if (described === undefined) return 'not a documented status';
  const [type] = String(response.headers['content-type'] ?? '').split(';');
  const { schema } = described.content?.[type ?? ''] ?? {};
  if (schema === undefined)
    return described.content || response.body !== '' ? `not a documented type: ${type}` : undefined;
  if (type !== 'application/json') return undefined;
  const parsed = schemaOf(document, schema).safeParse(response.json());
  return parsed.error && z.prettifyError(parsed.error);
}

function matches(template: string, url: string): boolean {
  const path = template.replace(/\/$/, '').replace(/\{\w+\}/g, '[^/]+');
  return new RegExp(`^${path}/?$`).test(pathOf(url));
}

const schemaOf = ({ components }: OpenApi, schema: Json): z.ZodType =>
  z.fromJSONSchema(
    JSON.parse(
      JSON.stringify({ ...schema, $defs: components.schemas }).replaceAll('"#/components/schemas/', '"#/$defs/'),
    ),
  );
