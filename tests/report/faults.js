// All faults of a page, as sentences. Arguments: the pictures that are to be seen, wide or narrow, and the sections.
// Contrast is that of WCAG 2.
const [variant, expected] = arguments;
const faults = [];
const page = document.scrollingElement;
const number = text => (text.match(/[\d.]+/g) || []).map(Number);
const light = channels => {
  const [r, g, b] = channels.slice(0, 3).map(c => c / 255).map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const contrast = (one, other) => {
  const [low, high] = [light(one), light(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
};
const ground = element => {
  for (; element; element = element.parentElement) {
    const found = number(getComputedStyle(element).backgroundColor);
    if (found.length === 3 || found[3] === 1) return found;
  }
  return [255, 255, 255];
};
const shown = element => element.checkVisibility({visibilityProperty: true}) && element.getClientRects().length > 0;
const own = element => [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim());

if (page.scrollWidth > page.clientWidth) faults.push(`the page is ${page.scrollWidth} wide, not ${page.clientWidth}`);
const sections = [...document.querySelectorAll('main > section')].map(section => section.id);
if (sections.join() !== expected.join()) faults.push(`sections ${sections}`);
for (const link of document.querySelectorAll('nav a'))
  if (!document.querySelector(link.getAttribute('href'))) faults.push(`no target ${link.getAttribute('href')}`);

for (const element of document.body.querySelectorAll('*')) {
  if (!own(element) || !shown(element) || element.closest('desc, title')) continue;
  const style = getComputedStyle(element);
  const inside = element.closest('svg');
  const ratio = contrast(number(inside ? style.fill : style.color), ground(inside || element));
  if (!(ratio >= 4.5)) faults.push(`contrast ${ratio.toFixed(2)}: ${element.textContent.slice(0, 40)}`);
  const box = element.getBoundingClientRect();
  if (!element.closest('.scroll, .formula') && (box.left < -0.5 || box.right > page.clientWidth + 0.5))
    faults.push(`outside the page: ${element.textContent.slice(0, 40)}`);
}

const figures = [...document.querySelectorAll('figure')];
if (figures.length < 2) faults.push(`${figures.length} figures`);
for (const figure of figures) {
  const seen = [...figure.querySelectorAll('svg')].filter(shown);
  if (seen.length !== 1 || !seen[0].classList.contains(variant)) {
    faults.push(`${figure.id} shows ${seen.length} pictures`);
    continue;
  }
  const [svg, box] = [seen[0], seen[0].getBoundingClientRect()];
  if (box.width < 280 || box.height < 100) faults.push(`${figure.id} is ${box.width} x ${box.height}`);
  if (box.left < 0 || box.right > page.clientWidth) faults.push(`${figure.id} is outside the page`);
  if (!svg.getAttribute('aria-label')) faults.push(`${figure.id} has no description`);
  if (svg.querySelectorAll('path').length < 5) faults.push(`${figure.id} is empty`);
  const texts = [...svg.querySelectorAll('text')].map(text => [text.textContent, text.getBoundingClientRect()]);
  if (texts.length < 4) faults.push(`${figure.id} has ${texts.length} texts`);
  for (const [text, at] of texts)
    if (at.left < box.left - 1 || at.right > box.right + 1 || at.top < box.top - 1 || at.bottom > box.bottom + 1)
      faults.push(`${figure.id}: "${text}" is cut off`);
  texts.forEach(([one, a], place) => texts.slice(place + 1).forEach(([other, b]) => {
    const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
    const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
    // A line of text is higher than its letters.
    if (across > 1 && down > 4) faults.push(`${figure.id}: "${one}" and "${other}" overlap`);
  }));
}
for (const table of document.querySelectorAll('table')) {
  for (const heading of ['thead th[scope=col]', 'tbody th[scope=row]'])
    if (!table.querySelector(heading)) faults.push(`a table without ${heading}`);
  const scroll = table.closest('.scroll');
  if (matchMedia('print').matches && shown(table) && scroll.scrollWidth > scroll.clientWidth)
    faults.push(`on paper, cut off: ${scroll.getAttribute('aria-label')}`);
}
if (matchMedia('print').matches)
  for (const figure of figures)
    if (figure.getBoundingClientRect().height > 1000) faults.push(`higher than a sheet: ${figure.id}`);
return faults;
