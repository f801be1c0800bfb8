import { type Machine, machineLine, type Table, tableOf } from './report.ts';

export type Footprint = {
  readonly name: string;
  /** from the start of the process until its port accepts a connection */
  readonly startMs: number;
  readonly startCpuMs: number;
  readonly idleRssMib: number;
  /** what is laid over Node's base image */
  readonly imageMb: number;
};

export type FootprintResult = {
  readonly machine: Machine;
  readonly starts: number;
  readonly idleSeconds: number;
  readonly footprints: readonly Footprint[];
};

const START_MS = 500;
const IMAGE_MB = 60;
const RSS_MIB: Readonly<Record<string, number>> = { DevShelf: 120, 'DevShelf worker': 120, Dashboard: 100 };

export const footprintMisses = ({ footprints }: FootprintResult): readonly string[] =>
  footprints.flatMap(({ name, startMs, idleRssMib, imageMb }) => [
    ...(startMs > START_MS ? [`${name}: ${Math.round(startMs)} ms to listening, ${START_MS} wanted`] : []),
    ...(idleRssMib > (RSS_MIB[name] ?? 0)
      ? [`${name}: ${Math.round(idleRssMib)} MiB idle, ${RSS_MIB[name]} wanted`]
      : []),
    ...(imageMb > IMAGE_MB ? [`${name}: ${Math.round(imageMb)} MB of image, ${IMAGE_MB} wanted`] : []),
  ]);

export function footprintTables({ machine, starts, idleSeconds, footprints }: FootprintResult): readonly Table[] {
  const rows = footprints.map(({ name, startMs, startCpuMs, idleRssMib, imageMb }) => [
    name,
    `${Math.round(startMs)} (${START_MS})`,
    String(Math.round(startCpuMs)),
    `${Math.round(idleRssMib)} (${RSS_MIB[name]})`,
    `${imageMb.toFixed(1)} (${IMAGE_MB})`,
  ]);
  const head = [
    'Measured (limit)',
    'start to listening, ms',
    'of which processor, ms',
    'idle RSS, MiB',
    'image over Node’s, MB',
  ];
  const how = `${machineLine(machine)} Start: median of ${starts}. RSS after ${idleSeconds} s of probes and scrapes.`;
  return [{ name: 'footprint', table: `${how}\n\n${tableOf(head, rows)}` }];
}
