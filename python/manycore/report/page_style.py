"""The style sheet of the report's page: light and dark by what the reader prefers, from a telephone's width up."""

STYLE = """
:root { color-scheme: light dark; --page: #f7f7f5; --card: #ffffff; --ink: #1d1f23; --soft: #646a73; --line: #e2e3e0;
  --track: #ecedea;
  --group: #2f6fde; --native: #17a398; --numpy: #e07a2f;
  --c0: #2f6fde; --c1: #17a398; --c2: #e07a2f; --c3: #8e5bd0; --c4: #c9417b; --c5: #7a9a1e; --c6: #3aa0d8; --c7: #8a8f98; }
@media (prefers-color-scheme: dark) {
  :root { --page: #14161a; --card: #1d2026; --ink: #e8e9ec; --soft: #9aa1ac; --line: #30343c; --track: #2a2e36;
    --group: #6ea3ff; --native: #43c9bd; --numpy: #f29a57;
    --c0: #6ea3ff; --c1: #43c9bd; --c2: #f29a57; --c3: #b48cf0; --c4: #ee76a7; --c5: #b1cf54; --c6: #74c7f2; --c7: #9aa1ac; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 28px 20px 60px; }
h1 { font-size: 24px; line-height: 1.25; margin: 0 0 4px; overflow-wrap: anywhere; }
h2 { font-size: 17px; margin: 0 0 2px; }
p { margin: 0 0 12px; color: var(--soft); max-width: 80ch; }
code, .code { font: 13px/1.45 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 18px 20px; margin-top: 18px; }
.tiles { display: grid; grid-template-columns: repeat(4, 1fr); gap: 12px; margin-top: 18px; }
.tile { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 12px 16px; }
.tile b { display: block; white-space: nowrap; font-size: 20px; line-height: 1.3; font-weight: 600;
  font-variant-numeric: tabular-nums; }
.tile span { color: var(--soft); font-size: 13px; }
.wide { overflow-x: auto; }
.wide + .wide { margin-top: 16px; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th { text-align: left; font-weight: 500; color: var(--soft); font-size: 13px; padding: 4px 14px 6px 0;
  border-bottom: 1px solid var(--line); white-space: nowrap; }
td { padding: 7px 14px 7px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
tr:last-child td { border-bottom: 0; }
.n { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.place { white-space: nowrap; color: var(--soft); }
.source { white-space: pre; overflow: hidden; text-overflow: ellipsis; max-width: 68ch; display: block; }
.first { min-width: 230px; }
.bar { display: flex; width: 150px; height: 10px; margin-top: 6px; background: var(--track); border-radius: 3px;
  overflow: hidden; }
.bar i { display: block; height: 100%; }
.key { display: inline-block; width: 10px; height: 10px; border-radius: 2px; margin: 0 5px 0 0; }
.keys { display: flex; flex-wrap: wrap; gap: 4px 16px; color: var(--soft); font-size: 13px; margin-bottom: 8px; }
.op { display: inline-block; background: var(--track); border-radius: 4px; padding: 0 6px; margin: 1px 3px 1px 0; }
.apart { color: var(--soft); font-size: 13px; }
svg { display: block; width: 100%; height: auto; }
.load { display: inline-block; width: min(480px, 40vw); height: 22px; border-radius: 3px; }
svg text { fill: var(--soft); font: 12px system-ui, sans-serif; }
footer { color: var(--soft); font-size: 13px; margin-top: 18px; }
@media (max-width: 640px) { .tiles { grid-template-columns: repeat(2, 1fr); } }
@media (max-width: 640px) { main { padding: 18px 12px 40px; } section { padding: 14px; } .bar { width: 90px; }
  .source { max-width: 34ch; } }
"""
