"""What a page looks like to whoever reads it: asked of the browser."""

from playwright.sync_api import Page


def is_dark(page: Page) -> bool:
    """Is the page's ground dark? Drawn on a canvas, which gives any notation of a colour as bytes."""
    red, green, blue, _ = page.evaluate(
        """() => {
        const canvas = document.createElement("canvas").getContext("2d");
        canvas.fillStyle = getComputedStyle(document.body).backgroundColor;
        canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data];
        }"""
    )
    return max(red, green, blue) < 64


def hard_to_read(page: Page) -> list[str]:
    """Texts of KCX's sheets that stand out too little from their ground: WCAG's 4.5 to 1."""
    return page.evaluate(
        """() => {
        const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
        // Colours drawn one on the other, as translucent ones are seen.
        const drawn = (colours) => {
            for (const colour of colours) {
                canvas.fillStyle = colour;
                canvas.fillRect(0, 0, 1, 1);
            }
            return [...canvas.getImageData(0, 0, 1, 1).data];
        };
        const light = (colours) => {
            const linear = (part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
            const [red, green, blue] = drawn(colours).map((byte) => linear(byte / 255));
            return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
        };
        const grounds = (one) =>
            one ? [...grounds(one.parentElement), getComputedStyle(one).backgroundColor] : ["white"];
        const poor = (one) => {
            const below = grounds(one);
            const both = [light([...below, getComputedStyle(one).color]), light(below)].sort((a, b) => b - a);
            return (both[0] + 0.05) / (both[1] + 0.05) < 4.5;
        };
        const isText = (node) => node.nodeType === Node.TEXT_NODE && node.data.trim();
        const holdsText = (one) => [...one.childNodes].some(isText);
        const texts = [...document.querySelectorAll(".kcx-sheet *")].filter(holdsText).filter(poor);
        return texts.map((one) => one.outerHTML.slice(0, 120)).slice(0, 5);
        }"""
    )


def too_wide(page: Page) -> list[str]:
    """What sticks out of the page to the right, where the page itself can be scrolled."""
    return page.evaluate(
        """() => document.documentElement.scrollWidth <= innerWidth ? [] :
        [...document.querySelectorAll("body *")]
        .filter((one) => one.getBoundingClientRect().right > innerWidth)
        .map((one) => one.outerHTML.slice(0, 120)).slice(0, 5)"""
    )


def cut_off(page: Page) -> list[str]:
    """Cells of lists that are lower than what they hold."""
    return page.evaluate(
        """() => [...document.querySelectorAll("#result_list tr.data-row :is(th, td)")]
        .filter((one) => one.scrollHeight > one.clientHeight + 1)
        .map((one) => one.outerHTML.slice(0, 120)).slice(0, 5)"""
    )
