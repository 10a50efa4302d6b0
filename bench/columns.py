"""The 133 columns of the table that is measured: those of a legacy CUR of a mid-sized organisation."""


def _names(category: str, text: str) -> tuple[str, ...]:
    return tuple(f"{category}/{name}" for name in text.split())


IDENTITY = _names("identity", "LineItemId TimeInterval")
BILL = _names(
    "bill",
    "InvoiceId InvoicingEntity BillingEntity BillType PayerAccountId BillingPeriodStartDate "
    "BillingPeriodEndDate",
)
LINE_ITEM = _names(
    "lineItem",
    "UsageAccountId LineItemType UsageStartDate UsageEndDate ProductCode UsageType Operation "
    "AvailabilityZone ResourceId UsageAmount NormalizationFactor NormalizedUsageAmount CurrencyCode "
    "UnblendedRate UnblendedCost BlendedRate BlendedCost LineItemDescription TaxType LegalEntity",
)
PRODUCT = _names(
    "product",
    "ProductName availability availabilityZone cacheEngine capacitystatus classicnetworkingsupport "
    "clockSpeed contentType currentGeneration databaseEngine databaseEdition dedicatedEbsThroughput "
    "deploymentOption description durability ecu engineCode enhancedNetworkingSupported eventType "
    "fromLocation fromLocationType fromRegionCode gpu group groupDescription instanceFamily instanceType "
    "instanceTypeFamily intelAvxAvailable intelTurboAvailable licenseModel location locationType "
    "marketoption maxIopsvolume maxThroughputvolume maxVolumeSize memory messageDeliveryFrequency "
    "minVolumeSize networkPerformance normalizationSizeFactor operatingSystem operation "
    "physicalProcessor preInstalledSw processorArchitecture processorFeatures productFamily region "
    "regionCode servicecode servicename sku storage storageClass storageMedia tenancy toLocation "
    "transferType usagetype volumeType",
)
PRICING = _names(
    "pricing",
    "LeaseContractLength OfferingClass PurchaseOption RateCode RateId currency publicOnDemandCost "
    "publicOnDemandRate term unit",
)
RESERVATION = _names(
    "reservation",
    "AmortizedUpfrontCostForUsage AmortizedUpfrontFeeForBillingPeriod EffectiveCost EndTime "
    "ModificationStatus NormalizedUnitsPerReservation NumberOfReservations RecurringFeeForUsage "
    "ReservationARN StartTime SubscriptionId TotalReservedUnits UnitsPerReservation UnusedQuantity "
    "UnusedRecurringFee UpfrontValue",
)
SAVINGS_PLAN = _names(
    "savingsPlan",
    "EndTime OfferingType PaymentOption PurchaseTerm Region SavingsPlanARN SavingsPlanEffectiveCost "
    "SavingsPlanRate StartTime",
)
TAGS = _names(
    "resourceTags",
    "aws:createdBy user:Name user:CostCenter user:Environment user:Owner user:Team user:Application",
)
ALL = IDENTITY + BILL + LINE_ITEM + PRODUCT + PRICING + RESERVATION + SAVINGS_PLAN + TAGS
