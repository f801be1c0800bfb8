/** Asked again and again: processor seconds of this process per second since it was asked last, or since this call. */
export function cpuShares(): () => number {
  let [cpu, at] = [process.cpuUsage(), performance.now()];
  return () => {
    const { user, system } = process.cpuUsage(cpu);
    const share = (user + system) / 1_000 / (performance.now() - at);
    [cpu, at] = [process.cpuUsage(), performance.now()];
    return share;
  };
}
