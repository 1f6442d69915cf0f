"""What people call the columns of orders: English, German, Korean, Portuguese, and known programs.

Letter case, blanks and marks do not count. What Northwind and Olist write stands among them.
"""

ORDER = (
    "OrderID", "Order", "Order number", "Order no", "Bestellnummer", "Bestell-Nr", "Auftrag",
    "Auftragsnummer", "주문번호", "주문", "Número do pedido", "Pedido",
)  # fmt: skip
CUSTOMER = (
    "CustomerID", "Customer", "Customer number", "Kunde", "Kundennummer", "고객번호", "고객",
    "Cliente", "Número do cliente",
)  # fmt: skip
PLACED = (
    "OrderDate", "Order date", "Ordered", "Date", "Bestelldatum", "Datum", "주문일", "주문일시",
    "Data do pedido", "order_purchase_timestamp",
)  # fmt: skip
STATUS = (
    "State", "Order status", "Bestellstatus", "Zustand", "주문상태", "상태", "Situação",
    "Status do pedido",
)  # fmt: skip
SHIPPED = (
    "ShippedDate", "Ship date", "Shipped", "Versanddatum", "발송일", "배송일", "Data de envio",
    "order_delivered_carrier_date",
)  # fmt: skip
DELIVERED = (
    "DeliveredDate", "Delivery date", "Delivered", "Lieferdatum", "배송완료일", "Data de entrega",
    "order_delivered_customer_date",
)  # fmt: skip
COUNTRY = ("ShipCountry", "Ship to country", "Land", "국가", "País")
CURRENCY = ("Currency code", "Währung", "통화", "Moeda")
FREIGHT = (
    "Shipping", "Shipping cost", "Postage", "Versandkosten", "Porto", "배송비", "Frete",
    "freight_value",
)  # fmt: skip
POSITION = ("Line", "Line number", "Item", "order_item_id", "Pos", "순번", "Item do pedido")
PRODUCT = (
    "ProductID", "Product", "Product code", "SKU", "Article", "Artikel", "Artikelnummer",
    "상품코드", "상품번호", "Produto", "Código do produto",
)  # fmt: skip
SELLER = (
    "SellerID", "Shop", "Vendor", "SupplierID", "Lieferant", "Verkäufer", "판매자", "판매자코드",
    "Vendedor",
)  # fmt: skip
DESCRIPTION = (
    "ProductName",
    "Product name",
    "Item name",
    "Bezeichnung",
    "상품명",
    "Nome do produto",
)
QUANTITY = ("Qty", "Pieces", "Menge", "Anzahl", "Stück", "수량", "Quantidade")
PRICE = ("UnitPrice", "Unit price", "Preis", "Einzelpreis", "단가", "가격", "Preço")
DISCOUNT = ("Rabatt", "Nachlass", "할인", "할인율", "Desconto")
SEQUENCE = ("payment_sequential", "Payment number", "Zahlung Nr", "결제순번", "Parcela")
METHOD = (
    "payment_type", "Payment method", "Paid by", "Zahlungsart", "Zahlart", "결제수단",
    "결제방법", "Forma de pagamento",
)  # fmt: skip
REFERENCE = (
    "Payment reference", "Transaction", "Transaction ID", "Zahlungsreferenz", "거래번호",
    "승인번호", "Referência",
)  # fmt: skip
AMOUNT = (
    "payment_value", "Payment", "Amount paid", "Paid", "Betrag", "Zahlbetrag", "결제금액", "금액",
    "Valor", "Valor pago",
)  # fmt: skip
PAID = (
    "Paid at", "Payment date", "Paid on", "Zahlungsdatum", "Bezahlt am", "결제일", "결제일시",
    "Data do pagamento",
)  # fmt: skip

# How others call the states of an order -> the state here.
STATES = {
    "placed": (
        "placed", "created", "new", "open", "pending", "neu", "offen", "신규", "주문접수", "criado",
    ),
    "paid": (
        "paid", "approved", "invoiced", "processing", "in progress", "bezahlt", "in bearbeitung",
        "결제완료", "처리중", "pago", "aprovado", "faturado",
    ),
    "shipped": ("shipped", "sent", "versendet", "versandt", "발송", "배송중", "enviado"),
    "delivered": (
        "delivered", "completed", "complete", "done", "geliefert", "zugestellt", "abgeschlossen",
        "배송완료", "완료", "entregue",
    ),
    "cancelled": (
        "cancelled", "canceled", "unavailable", "storniert", "abgebrochen", "취소", "주문취소",
        "cancelado", "indisponível",
    ),
}  # fmt: skip
