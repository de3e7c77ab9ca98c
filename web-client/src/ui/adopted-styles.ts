/** Outside of the document: what the component library writes here is adopted, and never judged as an inline style. */
export const styleTarget = document.createElement('div')

/**
 * The hub's pages allow no inline style sheets, and the component library brings its own as such. Their text is put into
 * sheets made by script, which the policy allows. Its lists and poppers know no other place than the head: there as well.
 */
export function adoptStyles(): void {
  const observer = new MutationObserver((changes) => {
    const fresh = changes.flatMap(change => [...change.addedNodes]).filter(isUnused).map(sheetOf)
    if (fresh.length > 0)
      document.adoptedStyleSheets = [...document.adoptedStyleSheets, ...fresh]
  })
  observer.observe(styleTarget, { childList: true })
  observer.observe(document.head, { childList: true })
}

/** The type and size of the whole page are ours. */
const WHOLE_PAGE = 'n-global'

/** A sheet that the policy refused, or that is in no document, has no rules of its own. */
function isUnused(node: Node): node is HTMLStyleElement {
  return node instanceof HTMLStyleElement && node.hasAttribute('cssr-id') && node.getAttribute('cssr-id') !== WHOLE_PAGE && (node.sheet?.cssRules.length ?? 0) === 0
}

function sheetOf(style: HTMLStyleElement): CSSStyleSheet {
  const sheet = new CSSStyleSheet()
  sheet.replaceSync(style.textContent ?? '')
  return sheet
}
