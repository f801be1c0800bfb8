/** Served as a file of its own: the content security policy allows nothing inline. */
export const STYLE = `:root { color-scheme: light dark; --accent: #1d6f5c; --line: #8884; font-family: system-ui, sans-serif; }
body { margin: 0; line-height: 1.5; }
header { background: var(--accent); color: #fff; padding: 0.75rem 1.5rem; }
h1 { font-size: 1.25rem; margin: 0; }
h2 { font-size: 1.1rem; }
main { max-width: 70rem; margin: 0 auto; padding: 1.5rem; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: 1rem; list-style: none; margin: 0; padding: 0; }
.tiles li { border: 1px solid var(--line); border-radius: 0.5rem; padding: 0.75rem 1rem; }
.tiles span { display: block; font-size: 0.85rem; opacity: 0.75; }
.tiles strong { font-size: 1.75rem; font-variant-numeric: tabular-nums; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid var(--line); padding: 0.4rem 0.6rem; text-align: left; }
th:nth-child(n + 3), td:nth-child(n + 3) { text-align: right; font-variant-numeric: tabular-nums; }
`;
