/** A detached element: styles that the component library mounts here are adopted as sheets, not inline styles (CSP). */
export const styleTarget = document.createElement('div')

/**
 * The hub's content security policy forbids inline style sheets, which the component library creates. Their text is put into
 * constructed sheets, which the policy allows. Its lists and poppers always mount into the head; those are adopted as well.
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

/** Font and font size of the page come from base.css. */
const WHOLE_PAGE = 'n-global'

/** A sheet that the policy refused, or that is in no document, has no CSSOM rules. */
function isUnused(node: Node): node is HTMLStyleElement {
  return node instanceof HTMLStyleElement && node.hasAttribute('cssr-id') && node.getAttribute('cssr-id') !== WHOLE_PAGE && (node.sheet?.cssRules.length ?? 0) === 0
}

function sheetOf(style: HTMLStyleElement): CSSStyleSheet {
  const sheet = new CSSStyleSheet()
  sheet.replaceSync(style.textContent ?? '')
  return sheet
}
