// Draws the chart of what finished; until this is here, and without it, the server's picture stands in its place.

import uPlot from './uplot.js';

const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const two = (number) => String(number).padStart(2, '0');
/** The day is told where the points of a plot are of more than two. */
const clock = (seconds, plot) => {
  const at = new Date(seconds * 1_000);
  const time = `${two(at.getUTCHours())}:${two(at.getUTCMinutes())}`;
  const { min, max } = plot.scales.x;
  return max - min <= 2 * 86_400 ? time : `${two(at.getUTCMonth() + 1)}-${two(at.getUTCDate())} ${time}`;
};

/** Looks up what a custom property means now: `light-dark()` is resolved by a real colour only. */
function colour(name) {
  const probe = document.createElement('i');
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

/** `<tf-chart points="[[times],[succeeded],[failed]]">`. */
class Chart extends HTMLElement {
  static observedAttributes = ['points'];
  #plot = null;
  #sized = new ResizeObserver(() => this.#resize());

  connectedCallback() {
    this.#draw();
    this.#sized.observe(this);
    document.addEventListener('tf:theme', () => this.#draw());
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.#draw());
  }

  disconnectedCallback() {
    this.#sized.disconnect();
    this.#plot?.destroy();
    this.#plot = null;
  }

  attributeChangedCallback() {
    this.#plot?.setData(this.#points());
  }

  #points() {
    try {
      return JSON.parse(this.getAttribute('points') ?? '[]');
    } catch {
      return [[], [], []];
    }
  }

  #resize() {
    if (this.#plot !== null && this.clientWidth > 0) this.#plot.setSize({ width: this.clientWidth, height: 190 });
  }

  #draw() {
    this.#plot?.destroy();
    const [line, text] = [colour('--border'), colour('--muted')];
    const axis = { stroke: text, font: `11px ${token('--sans')}`, ticks: { show: false }, grid: { show: false } };
    this.replaceChildren();
    this.#plot = new uPlot(
      {
        width: Math.max(1, this.clientWidth),
        height: 190,
        padding: [8, 16, 0, 0],
        legend: { show: false },
        cursor: { points: { size: 5 }, y: false, drag: { x: false, y: false } },
        scales: { y: { range: (_plot, _low, high) => [0, Math.max(4, high * 1.1)] } },
        axes: [
          { ...axis, space: 90, size: 24, values: (plot, splits) => splits.map((at) => clock(at, plot)) },
          { ...axis, size: 34, gap: 4, space: 40, grid: { stroke: line, width: 1 } },
        ],
        series: [
          {},
          {
            stroke: colour('--bar-succeeded'),
            width: 1.5,
            fill: shade('--bar-succeeded', 0.22),
            points: { show: false },
          },
          { width: 0, fill: shade('--bar-failed', 0.75), points: { show: false } },
        ],
        hooks: { setCursor: [(plot) => this.#tell(plot)] },
      },
      this.#points(),
      this,
    );
  }

  /** What is under the pointer, in the header of the card. */
  #tell(plot) {
    const told = this.closest('.card')?.querySelector('[data-cursor]');
    if (told == null) return;
    const { idx } = plot.cursor;
    const [at, succeeded, failed] = plot.data.map((values) => (idx == null ? undefined : values[idx]));
    told.textContent = at === undefined ? '' : `${clock(at, plot)} UTC: ${succeeded} succeeded, ${failed} failed`;
  }
}

function shade(name, part) {
  return colour(name).replace(/^rgb\((.*)\)$/, (_all, parts) => `rgb(${parts.replaceAll(',', ' ')} / ${part})`);
}

customElements.define('tf-chart', Chart);
