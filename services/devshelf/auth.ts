import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { bearerToken } from '../common/scrape.ts';
import { HttpError, parse } from './errors.ts';
import { Prisma, type PrismaClient, type User } from './generated/client.ts';
import { hashPassword, nobodysHash, verifyPassword } from './passwords.ts';
import type { AccessTokens } from './tokens.ts';

export type AuthOptions = {
  readonly prisma: PrismaClient;
  readonly tokens: AccessTokens;
  readonly passwordMinLength: number;
};

const PASSWORD_MAX_LENGTH = 1_024;

/** POST /api/v1/auth/register and /token. */
export function serveAuth(app: FastifyInstance, { prisma, tokens, passwordMinLength }: AuthOptions): void {
  const registration = z.object({
    username: z.string().min(1).max(50),
    email: z.email().max(255),
    password: z.string().min(passwordMinLength).max(PASSWORD_MAX_LENGTH),
  });
  const credentials = z.object({ username: z.string(), password: z.string().max(PASSWORD_MAX_LENGTH) });

  app.post('/api/v1/auth/register', async (request, reply) => {
    const { username, email, password } = parse(registration, 'body', request.body);
    const user = await createUser(prisma, { username, email, hashedPassword: await hashPassword(password) });
    return reply.code(201).send({ id: user.id, username, email, is_active: user.isActive });
  });

  app.post('/api/v1/auth/token', async request => {
    const { username, password } = parse(credentials, 'body', request.body);
    const user = await prisma.user.findUnique({ where: { username } });
    const known = await verifyPassword(password, user?.hashedPassword ?? nobodysHash);
    if (!user?.isActive || !known) throw new HttpError(401, 'Incorrect credentials');
    return {
      access_token: await tokens.issue(user.id),
      token_type: 'bearer',
      expires_in: tokens.lifetimeSeconds,
    };
  });
}

type NewUser = { readonly username: string; readonly email: string; readonly hashedPassword: string };

/** The database decides what is a duplicate, so two at once cannot both win. */
async function createUser(prisma: PrismaClient, data: NewUser): Promise<User> {
  try {
    return await prisma.user.create({ data });
  } catch (error) {
    if (!(error instanceof Prisma.PrismaClientKnownRequestError) || error.code !== 'P2002') throw error;
    const sameName = await prisma.user.findUnique({ where: { username: data.username }, select: { id: true } });
    throw new HttpError(400, sameName ? 'Username already registered' : 'Email already registered');
  }
}

/**
 * The user who sent the request.
 * @throws HttpError 401 when there is no valid token, or its user is gone or not active any more
 */
export async function authenticate(request: FastifyRequest, { prisma, tokens }: AuthOptions): Promise<User> {
  const token = bearerToken(request);
  if (token === undefined) throw new HttpError(401, 'Not authenticated');
  const id = await tokens.verify(token);
  const user = id === undefined ? null : await prisma.user.findUnique({ where: { id } });
  if (!user?.isActive) throw new HttpError(401, 'Could not validate credentials');
  return user;
}
