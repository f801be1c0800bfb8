// The one place that redraws: in place on a terminal, never on another screen, so that the last picture stays.

export type Screen = {
  readonly isTerminal: boolean;
  write(text: string): void;
};

/** Lines so far are replaced by these; without a terminal each change is one line with its time. */
export class Picture {
  readonly #screen: Screen;
  #before: readonly string[] = [];

  constructor(screen: Screen) {
    this.#screen = screen;
  }

  /** @param line what is told where there is no terminal */
  show(lines: readonly string[], line: string, now: number): void {
    if (!this.#screen.isTerminal) {
      if (this.#before[0] !== line) this.#screen.write(`${new Date(now).toISOString()} ${line}\n`);
      this.#before = [line];
      return;
    }
    if (lines.join('\n') === this.#before.join('\n')) return;
    const up = this.#before.length > 0 ? `\u001b[${this.#before.length}A\u001b[0J` : '';
    // as one frame, where the terminal knows that (CSI ? 2026)
    this.#screen.write(`\u001b[?2026h${up}${lines.join('\n')}\n\u001b[?2026l`);
    this.#before = lines;
  }
}
