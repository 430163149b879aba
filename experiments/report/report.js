// Sorts a table by the heading that was selected: numbers as numbers (k, M, B and per cent understood), words as words.
"use strict";
(() => {
  const factor = { k: 1e3, M: 1e6, B: 1e9 };
  const value = (cell) => {
    const text = cell.textContent.trim().replace(/−/g, "-").replace(/,/g, "");
    const found = text.match(/^[<]?\s*(-|\+)?\s*(?:[A-Z]{3}\s|[€$£¥])?([\d.]+)([kMB])?(\s*%)?$/);
    return found ? (found[1] === "-" ? -1 : 1) * Number(found[2]) * (factor[found[3]] || 1) : null;
  };
  const compare = (a, b) => {
    const [x, y] = [value(a), value(b)];
    if (x !== null && y !== null) return x - y;
    if (x !== null || y !== null) return x === null ? -1 : 1;
    return a.textContent.localeCompare(b.textContent);
  };
  for (const table of document.querySelectorAll("table.sortable")) {
    const body = table.tBodies[0];
    const headings = [...table.tHead.rows[0].cells];
    headings.forEach((heading, column) => {
      const words = [...body.rows].every((row) => value(row.cells[column]) === null && row.cells[column].textContent.trim() !== "–");
      for (const cell of words ? [heading, ...[...body.rows].map((row) => row.cells[column])] : []) cell.classList.add("words");
      const sort = () => {
        const falling = heading.getAttribute("aria-sort") !== "descending" && (!words || heading.hasAttribute("aria-sort"));
        headings.forEach((other) => other.removeAttribute("aria-sort"));
        heading.setAttribute("aria-sort", falling ? "descending" : "ascending");
        const sign = falling ? -1 : 1;
        body.append(...[...body.rows].sort((a, b) => sign * compare(a.cells[column], b.cells[column])));
      };
      heading.classList.add("sorts");
      heading.tabIndex = 0;
      heading.title = "Sort by " + heading.textContent;
      heading.addEventListener("click", sort);
      heading.addEventListener("keydown", (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); sort(); } });
    });
  }
})();
